/** What the calls hear: the microphone, or a sound file that is played in at the speed of speech. */
import { useRef, useState } from "react";
import { readSoundFile, type SoundFile } from "../../realtime/sound-file";
import { Button } from "../Button";
import { Chip } from "../Chip";

interface Props {
  file: SoundFile | null;
  onFile: (file: SoundFile | null) => void;
  locked: boolean;
}

export function InputChoice({ file, onFile, locked }: Props) {
  const [problem, setProblem] = useState("");
  const picker = useRef<HTMLInputElement>(null);
  const choose = async (chosen: File | undefined) => {
    if (!chosen) return;
    setProblem("");
    try {
      onFile(await readSoundFile(chosen));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="row" data-testid="input-choice">
      {problem && (
        <span className="bad" role="alert">
          {problem}
        </span>
      )}
      {file ? (
        <Chip
          name={file.name}
          title="Played in instead of the microphone"
          {...(locked ? {} : { onRemove: () => onFile(null) })}
        >
          {file.name} · {file.seconds.toFixed(1)} s
        </Chip>
      ) : (
        <Button icon="up" disabled={locked} onClick={() => picker.current?.click()}>
          Use a sound file
        </Button>
      )}
      <input
        ref={picker}
        type="file"
        accept="audio/*,.wav"
        hidden
        data-testid="sound-file"
        onChange={(event) => {
          void choose(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
    </div>
  );
}
