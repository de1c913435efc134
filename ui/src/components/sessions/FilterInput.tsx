/** The filter as text: completes fields and values while one types, and shows where the server finds it wrong. */
import { useQuery } from "@tanstack/react-query";
import {
  type KeyboardEvent,
  type RefObject,
  useCallback,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from "react";
import { facetsQuery, fieldsQuery } from "../../api/queries";
import { complete, type Option } from "../../lib/completion";
import { errorPlace } from "../../lib/filter-text";
import { Icon } from "../Icon";

const TYPING_PAUSE_MS = 350;
const NOTHING = {};

interface Props {
  q: string;
  project: string;
  onChange: (q: string) => void;
  input: RefObject<HTMLInputElement | null>;
  error: Error | null;
}

interface OptionsProps {
  id: string;
  options: Option[];
  at: number;
  onPick: (option: Option) => void;
}

function Options({ id, options, at, onPick }: OptionsProps) {
  return (
    <div id={id} role="listbox" aria-label="Completions" className="completions panel">
      {options.map((option, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys.
        <div
          key={option.label}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === at}
          className="completion"
          // The field keeps the focus.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onPick(option)}
        >
          <span className="mono">{option.label}</span>
          <span className="muted">{option.detail}</span>
        </div>
      ))}
    </div>
  );
}

/** What is typed goes into the address after a pause; what has got there since by other ways is shown. */
function useTyped(q: string, onChange: (q: string) => void) {
  const [text, setText] = useState(q);
  // On their way into the address. One that arrives late leaves alone what has been typed meanwhile.
  const told = useRef<string[]>([]);
  const latest = useRef(onChange);
  latest.current = onChange;
  const tell = useCallback((next: string) => {
    told.current.push(next);
    latest.current(next);
  }, []);
  useEffect(() => {
    const at = told.current.indexOf(q);
    told.current = at < 0 ? [] : told.current.slice(at + 1);
    if (at < 0) setText(q);
  }, [q]);
  useEffect(() => {
    if (text === q) return;
    const timer = setTimeout(() => tell(text), TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, q, tell]);
  return { text, setText, tell };
}

export function FilterInput({ q, project, onChange, input, error }: Props) {
  const { text, setText, tell } = useTyped(q, onChange);
  const [caret, setCaret] = useState(0);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const id = useId();
  const fields = useQuery(fieldsQuery).data;
  const facets = useQuery({ ...facetsQuery({ project }), enabled: open }).data;
  const { from, options } = useMemo(
    () => complete(text, caret, fields?.items ?? [], facets?.facets ?? NOTHING, fields?.aliases),
    [text, caret, fields, facets],
  );
  const isOpen = open && options.length > 0;

  const look = () => {
    setCaret(input.current?.selectionStart ?? 0);
    setAt(-1);
  };
  const pick = (option: Option) => {
    const next = text.slice(0, from) + option.insert + text.slice(caret);
    const to = from + option.insert.length;
    setText(next);
    setAt(-1);
    // The caret can be put there only when the field has the text.
    requestAnimationFrame(() => {
      input.current?.setSelectionRange(to, to);
      setCaret(to);
    });
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const chosen = options[at];
    if (step && isOpen) {
      event.preventDefault();
      setAt((at + step + options.length + (at < 0 && step < 0 ? 1 : 0)) % options.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && isOpen && chosen) {
      event.preventDefault();
      pick(chosen);
    } else if (event.key === "Enter") {
      setOpen(false);
      if (text !== q) tell(text);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (isOpen) setOpen(false);
      else input.current?.blur();
    }
  };
  return (
    <div className="filter-box">
      <Icon name="search" />
      <input
        ref={input}
        className="input mono"
        type="search"
        role="combobox"
        aria-label="Filter sessions"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        aria-activedescendant={isOpen && at >= 0 ? `${id}-${at}` : undefined}
        aria-autocomplete="list"
        aria-invalid={error !== null}
        aria-describedby={error ? `${id}-error` : undefined}
        autoComplete="off"
        spellCheck={false}
        data-testid="filter"
        placeholder="Words that were said, or status:failed  duration>30s  last:24h"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setOpen(true);
          look();
        }}
        onFocus={() => {
          setOpen(true);
          look();
        }}
        onBlur={() => setOpen(false)}
        onSelect={look}
        onKeyDown={press}
      />
      {isOpen && <Options id={id} options={options} at={at} onPick={pick} />}
      {error && <Wrong id={`${id}-error`} text={q} error={error} />}
    </div>
  );
}

function Wrong({ id, text, error }: { id: string; text: string; error: Error }) {
  const place = errorPlace(text, error.message);
  return (
    <p id={id} className="filter-error" role="alert" data-testid="filter-error">
      {place && (
        <code>
          {text.slice(0, place.start)}
          <mark>{text.slice(place.start, place.end) || " "}</mark>
          {text.slice(place.end)}
        </code>
      )}
      <span>{error.message}</span>
    </p>
  );
}
