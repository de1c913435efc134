/** Tags of many sessions: those that they have, to take away, and others to give. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { facetsQuery } from "../../api/queries";
import type { TagsChanged } from "../../api/schema";
import { plural } from "../../lib/format";
import type { Target } from "../../lib/targets";
import { toast } from "../../lib/toasts";
import { useOverAll } from "../../lib/use-over-all";
import { Button } from "../Button";
import { Chip } from "../Chip";
import { Dialog } from "../Dialog";
import { Problem } from "../Problem";
import { Progress } from "../Progress";

const words = (text: string) => [...new Set(text.split(",").map((one) => one.trim()))].filter(Boolean);

interface Props {
  target: Target;
  /** Of the ticked ones. */
  tags: readonly string[];
  onClose: () => void;
}

/** Of all that a filter finds the server knows the tags. */
function useTags({ target, tags }: Pick<Props, "target" | "tags">): readonly string[] {
  const facets = useQuery({ ...facetsQuery(target.filter), enabled: target.ids === null });
  if (target.ids) return tags;
  return facets.data?.facets.tag?.map((one) => one.value) ?? [];
}

export function TagDialog({ target, tags, onClose }: Props) {
  const [text, setText] = useState("");
  const [gone, setGone] = useState<readonly string[]>([]);
  const there = useTags({ target, tags });
  const change = useOverAll<TagsChanged>("/api/sessions/tags", (answer) => answer.ids.length);
  const add = words(text);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const changed = await change.run(target, { add, remove: gone.filter((tag) => !add.includes(tag)) });
    if (changed === null) return;
    toast(`The tags of ${plural(changed, "session")} are changed.`);
    onClose();
  };
  return (
    <Dialog title={`Tags of ${plural(target.count, "session")}`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        {there.length > 0 && (
          <div className="row">
            {there
              .filter((tag) => !gone.includes(tag))
              .map((tag) => (
                <Chip key={tag} name={`the tag ${tag}`} onRemove={() => setGone([...gone, tag])}>
                  {tag}
                </Chip>
              ))}
            {gone.length > 0 && <span className="muted">{plural(gone.length, "tag")} to take away</span>}
          </div>
        )}
        <label className="field">
          <span>Add tags, with commas between</span>
          <input
            className="input"
            data-testid="tags-input"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        {change.done !== null && (
          <Progress done={change.done} of={target.count} name="Sessions tagged" stop={change.stop} />
        )}
        {change.error && <Problem error={change.error} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            submit
            data-testid="save-tags"
            disabled={change.running || (add.length === 0 && gone.length === 0)}
          >
            Change
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
