/** A button with an optional icon. `quiet` has no border, `icon` alone needs a name. */
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { Icon, type IconName } from "./Icon";

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "className" | "type"> {
  kind?: "plain" | "primary" | "danger" | "quiet";
  icon?: IconName;
  submit?: boolean;
  children?: ReactNode;
}

export function Button({ kind = "plain", icon, submit = false, children, ...rest }: Props) {
  const alone = icon && !children;
  return (
    <button
      type={submit ? "submit" : "button"}
      className={`button ${kind === "plain" ? "" : kind} ${alone ? "icon" : ""}`}
      title={alone ? rest["aria-label"] : undefined}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
