/** Saved views: lists with a name, one's own and those that admins share. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useDeleteView, useSaveView, viewsQuery } from "../../api/queries";
import type { View } from "../../api/schema";
import { useIsAdmin } from "../../lib/me";
import { toast } from "../../lib/toasts";
import type { SessionsSearch } from "../../router";
import { Button } from "../Button";
import { Dialog } from "../Dialog";
import { Icon } from "../Icon";
import { Menu, MenuItem } from "../Menu";
import { Problem } from "../Problem";

interface Props {
  search: SessionsSearch;
  onOpen: (search: SessionsSearch) => void;
}

function SaveView({ search, onClose }: { search: SessionsSearch; onClose: () => void }) {
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  const isAdmin = useIsAdmin();
  const save = useSaveView();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(
      { name, shared, search: { ...search } },
      {
        onSuccess: () => {
          toast(`The view “${name}” is saved.`);
          onClose();
        },
      },
    );
  };
  const said = [search.project && `project ${search.project}`, search.q, search.sort && `by ${search.sort}`];
  return (
    <Dialog title="Save this list as a view" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <p className="muted mono">{said.filter(Boolean).join(" · ") || "all sessions, newest first"}</p>
        <label className="field">
          <span>Name</span>
          <input
            className="input"
            required
            maxLength={100}
            data-testid="view-name"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        {isAdmin && (
          <label className="check">
            <input type="checkbox" checked={shared} onChange={(event) => setShared(event.target.checked)} />
            <span>For everybody who may see these sessions</span>
          </label>
        )}
        {save.error && <Problem error={save.error} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" submit disabled={save.isPending || !name.trim()} data-testid="save-view">
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function ManageViews({ views, onClose }: { views: readonly View[]; onClose: () => void }) {
  const remove = useDeleteView();
  const isAdmin = useIsAdmin();
  const mine = views.filter((view) => view.own || isAdmin);
  return (
    <Dialog title="Saved views" onClose={onClose} actions={<Button onClick={onClose}>Done</Button>}>
      {remove.error && <Problem error={remove.error} />}
      <ul className="stack">
        {mine.map((view) => (
          <li key={view.id} className="row">
            <span className="grow ellipsis">
              {view.name}{" "}
              <span className="muted">{view.shared ? `shared, by ${view.created_by}` : "only yours"}</span>
            </span>
            <Button
              kind="quiet"
              icon="trash"
              aria-label={`Delete the view ${view.name}`}
              onClick={() => remove.mutate(view.id)}
            />
          </li>
        ))}
        {mine.length === 0 && <li className="muted">None is left.</li>}
      </ul>
    </Dialog>
  );
}

export function Views({ search, onOpen }: Props) {
  const views = useQuery(viewsQuery).data?.items ?? [];
  const [dialog, setDialog] = useState<"save" | "manage" | null>(null);
  const label = (
    <>
      <Icon name="bookmark" /> Views
    </>
  );
  return (
    <>
      <Menu label={label} name="Saved views" testId="views">
        {views.map((view) => (
          <MenuItem key={view.id} onSelect={() => onOpen(view.search as SessionsSearch)}>
            <span className="grow ellipsis">{view.name}</span>
            {view.shared && <span className="muted">shared</span>}
          </MenuItem>
        ))}
        {views.length === 0 && <p className="menu-head">No view is saved yet.</p>}
        <hr />
        <MenuItem onSelect={() => setDialog("save")}>
          <Icon name="plus" /> Save this list…
        </MenuItem>
        <MenuItem disabled={views.length === 0} onSelect={() => setDialog("manage")}>
          <Icon name="trash" /> Delete views…
        </MenuItem>
      </Menu>
      {dialog === "save" && <SaveView search={search} onClose={() => setDialog(null)} />}
      {dialog === "manage" && <ManageViews views={views} onClose={() => setDialog(null)} />}
    </>
  );
}
