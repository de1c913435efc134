/** Sessions as files: what the server makes at once, and the command for what it does not. */
import { withQuery } from "../../api/client";
import type { Target } from "../../lib/targets";
import { toast } from "../../lib/toasts";
import { copy } from "../Copy";
import { Icon } from "../Icon";
import { Menu, MenuItem } from "../Menu";

const FORMATS = [
  ["jsonl", "Whole traces", "JSON lines"],
  ["csv", "A row for each session", "CSV"],
] as const;
/** More do not fit into an address. */
export const MOST_IDS = 500;

export function exportUrl({ ids, filter }: Target, format: string): string {
  if (!ids) return withQuery("/api/sessions/export", { ...filter, format });
  const named = ids.map((id) => ["id", id]);
  return `/api/sessions/export?${new URLSearchParams([...named, ["format", format]]).toString()}`;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

export function command({ filter }: Target): string {
  const parts = ["voxgate sessions export"];
  if (!filter.project && !filter.q) parts.push("--all");
  if (filter.project) parts.push(`--project ${quoted(filter.project)}`);
  if (filter.q) parts.push(`--q ${quoted(filter.q)}`);
  return [...parts, "--format parquet --to sessions"].join(" ");
}

async function copyCommand(target: Target): Promise<void> {
  await copy(command(target));
  toast("The command is copied. It needs VOXGATE_URL and VOXGATE_API_KEY, or this machine.");
}

interface Props {
  target: Target;
  /** Only the picture. */
  small?: boolean;
}

export function ExportMenu({ target, small = false }: Props) {
  if (target.ids && target.ids.length > MOST_IDS) {
    return <span className="muted">At most {MOST_IDS} ticked ones are exported at once.</span>;
  }
  return (
    <Menu
      label={small ? <Icon name="download" /> : <ExportLabel />}
      name={small ? "Export all that the filter finds" : "Export"}
      title={small ? "Export all that the filter finds" : "Export"}
      className={small ? "button icon" : "button"}
      side={small ? "right" : "left"}
      testId={small ? "export-all" : "export"}
    >
      {FORMATS.map(([format, what, name]) => (
        <a
          key={format}
          className="menu-item"
          role="menuitem"
          tabIndex={-1}
          href={exportUrl(target, format)}
          download={`sessions.${format}`}
        >
          {name} <span className="muted">{what}</span>
        </a>
      ))}
      {!target.ids && (
        <MenuItem onSelect={() => void copyCommand(target)}>
          Parquet, sound <span className="muted">Copy the command for it</span>
        </MenuItem>
      )}
    </Menu>
  );
}

function ExportLabel() {
  return (
    <>
      <Icon name="download" /> Export
    </>
  );
}
