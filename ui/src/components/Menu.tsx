/** A button that opens a list: arrow keys move in it, Escape, Tab and a click elsewhere close it. */
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";

interface Props {
  /** What is in the button. */
  label: ReactNode;
  /** Its name where `label` is a picture. */
  name?: string;
  title?: string;
  className?: string;
  testId?: string;
  /** Of the button, at which the list begins. */
  side?: "left" | "right";
  /** The items: MenuItem, or anything with the role of one. */
  children: ReactNode;
}

const ITEMS = "[role^=menuitem]:not([disabled])";

export function Menu({ label, name, title, className = "button", testId, side = "right", children }: Props) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    box.current?.querySelector<HTMLElement>(ITEMS)?.focus();
    const outside = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    window.addEventListener("pointerdown", outside);
    return () => window.removeEventListener("pointerdown", outside);
  }, [open]);

  const close = () => {
    setOpen(false);
    box.current?.querySelector<HTMLElement>("[aria-haspopup]")?.focus();
  };
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const items = [...event.currentTarget.querySelectorAll<HTMLElement>(ITEMS)];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const last = items.length - 1;
    const to = { ArrowDown: at < last ? at + 1 : 0, ArrowUp: at > 0 ? at - 1 : last, Home: 0, End: last }[
      event.key
    ];
    if (to !== undefined) {
      event.preventDefault();
      items[to]?.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (event.key === "Tab") {
      setOpen(false);
    }
  };
  return (
    <div className="menu-box" ref={box}>
      <button
        type="button"
        className={className}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={name}
        title={title}
        data-testid={testId}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && (
        <div
          id={id}
          className={`menu-list panel ${side}`}
          role="menu"
          aria-label={name ?? title}
          tabIndex={-1}
          onKeyDown={move}
          onClick={(event) => {
            if ((event.target as HTMLElement).closest("[role=menuitem]")) close();
          }}
        >
          {children}
        </div>
      )}
    </div>
  );
}

interface ItemProps {
  children: ReactNode;
  onSelect: () => void;
  disabled?: boolean;
  danger?: boolean;
  /** Given: the item is one that is on or off, and the menu stays open. */
  checked?: boolean;
}

export function MenuItem({ children, onSelect, disabled = false, danger = false, checked }: ItemProps) {
  const toggles = checked !== undefined;
  const role = toggles
    ? ({ role: "menuitemcheckbox", "aria-checked": checked } as const)
    : ({ role: "menuitem" } as const);
  return (
    <button
      type="button"
      {...role}
      tabIndex={-1}
      className={`menu-item ${danger ? "danger" : ""}`}
      disabled={disabled}
      onClick={onSelect}
    >
      {toggles && <span className="menu-mark">{checked ? "✓" : ""}</span>}
      {children}
    </button>
  );
}
