/** Words and pictures for the model: typed, pasted, dropped or chosen. All calls on the stage get the same. */
import { type ClipboardEvent, type DragEvent, type FormEvent, useRef, useState } from "react";
import { isPicture, type Picture, picturesIn, readPicture } from "../../realtime/images";
import type { Stage } from "../../realtime/stage";
import { Button } from "../Button";

const MOST_PICTURES = 4;

function usePictures() {
  const [pictures, setPictures] = useState<Picture[]>([]);
  const [problem, setProblem] = useState("");
  const add = async (files: readonly File[]) => {
    setProblem("");
    for (const file of files) {
      try {
        const picture = await readPicture(file);
        setPictures((before) => [...before, picture].slice(-MOST_PICTURES));
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const remove = (id: string) => setPictures((before) => before.filter((one) => one.id !== id));
  return { pictures, problem, add, remove, clear: () => setPictures([]) };
}

export function Composer({ stage, enabled }: { stage: Stage | null; enabled: boolean }) {
  const [text, setText] = useState("");
  const [over, setOver] = useState(false);
  const { pictures, problem, add, remove, clear } = usePictures();
  const picker = useRef<HTMLInputElement>(null);
  const empty = !text.trim() && pictures.length === 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!stage || !enabled || empty) return;
    void stage.sendText(
      text.trim(),
      pictures.map((picture) => picture.url),
    );
    setText("");
    clear();
  };
  const pasted = (event: ClipboardEvent) => {
    const files = picturesIn(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    void add(files);
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (enabled) void add(picturesIn(event.dataTransfer));
  };
  return (
    <form
      className={`panel composer ${over ? "over" : ""}`}
      onSubmit={submit}
      onPaste={pasted}
      onDrop={dropped}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
    >
      {pictures.length > 0 && (
        <ul className="pictures">
          {pictures.map((picture) => (
            <li key={picture.id}>
              <img src={picture.url} alt={picture.name} data-testid="picture" />
              <Button
                kind="quiet"
                icon="cross"
                aria-label={`Remove ${picture.name}`}
                onClick={() => remove(picture.id)}
              />
            </li>
          ))}
        </ul>
      )}
      {problem && (
        <p className="bad" role="alert">
          {problem}
        </p>
      )}
      <div className="composer-row">
        <input
          className="input"
          aria-label="Message"
          data-testid="text-input"
          placeholder={enabled ? "Or type, paste a picture, and press enter" : "Connect to talk or type"}
          disabled={!enabled}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Button icon="plus" disabled={!enabled} onClick={() => picker.current?.click()}>
          Picture
        </Button>
        <Button submit data-testid="send-text" disabled={!enabled || empty}>
          Send
        </Button>
        <input
          ref={picker}
          type="file"
          accept="image/png,image/jpeg,image/webp,image/gif"
          multiple
          hidden
          data-testid="picture-file"
          onChange={(event) => {
            void add([...(event.target.files ?? [])].filter(isPicture));
            event.target.value = "";
          }}
        />
      </div>
    </form>
  );
}
