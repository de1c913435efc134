/** A new data set: its name, its project, what it is for. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNewDataset } from "../../api/evaluations";
import { projectsQuery } from "../../api/queries";
import type { Dataset } from "../../api/schema";
import { useMe } from "../../lib/me";
import { Button } from "../Button";
import { Dialog } from "../Dialog";
import { Problem } from "../Problem";

interface Props {
  onClose: () => void;
  onMade: (made: Dataset) => void;
}

export function NewDataset({ onClose, onMade }: Props) {
  const me = useMe();
  const projects = useQuery(projectsQuery);
  const make = useNewDataset();
  const [name, setName] = useState("");
  const [project, setProject] = useState(me?.project ?? "");
  const [description, setDescription] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate({ name: name.trim(), project: project.trim() || null, description }, { onSuccess: onMade });
  };
  return (
    <Dialog title="New data set" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <label className="field">
          <span>Name</span>
          <input
            className="input"
            required
            maxLength={100}
            placeholder="refunds"
            data-testid="dataset-name"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <label className="field">
          <span>Project</span>
          <input
            className="input"
            list="dataset-projects"
            placeholder="default"
            readOnly={me?.project != null}
            data-testid="dataset-project"
            value={project}
            onChange={(event) => setProject(event.target.value)}
          />
          <datalist id="dataset-projects">
            {projects.data?.items.map((one) => (
              <option key={one.name} value={one.name} />
            ))}
          </datalist>
        </label>
        <label className="field">
          <span>What it is for</span>
          <textarea
            className="input"
            rows={2}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
          />
        </label>
        {make.error && <Problem error={make.error} />}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" submit data-testid="make-dataset" disabled={!name.trim() || make.isPending}>
            Make it
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
