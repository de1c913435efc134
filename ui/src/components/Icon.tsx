/** The few icons of the app: 16 px strokes in the colour of the text, never without words beside or behind them. */

const PATHS = {
  play: "M5 3.5v9l7.5-4.5z",
  pause: "M5 3.5v9M11 3.5v9",
  stop: "M4.5 4.5h7v7h-7z",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  check: "M3 8.5l3.5 3.5L13 4.5",
  download: "M8 2v8M4.5 7L8 10.5 11.5 7M3 13.5h10",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z",
  auto: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  mic: "M8 2a2 2 0 0 0-2 2v4a2 2 0 0 0 4 0V4a2 2 0 0 0-2-2zM3.5 8a4.5 4.5 0 0 0 9 0M8 12.5V15",
  phone: "M4 2.5l2 3-1.5 1.5c.8 1.8 2.2 3.2 4.5 4.500L10.5 10l3 2-1 2c-5 .5-10-4.5-10.5-10.500z",
  chevron: "M6 3.5L10.5 8 6 12.5",
  link: "M6.5 9.500l3-3M7 4.500l1.5-1.500a3 3 0 0 1 4.5 4.500L11.5 9M9 11.500L7.5 13A3 3 0 0 1 3 8.500L4.5 7",
  trash: "M3 4.500h10M6.5 4.500v-2h3v2M4.5 4.500l.5 9h6l.5-9",
  out: "M9.5 3h-6v10h6M7 8h7M11.5 5.500L14 8l-2.5 2.5",
  cross: "M4.500 4.500l7 7M11.500 4.500l-7 7",
  plus: "M8 3v10M3 8h10",
  search: "M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9M10.500 10.500L13.500 13.500",
  keyboard: "M1.500 4h13v8h-13zM4 6.500h.01M6.700 6.500h.01M9.300 6.500h.01M12 6.500h.01M5 9.500h6",
  columns: "M2.500 3h11v10h-11zM6.200 3v10M9.800 3v10",
  bookmark: "M4 2.500h8v11L8 10.500l-4 3z",
  tag: "M2.500 2.500h5l6 6-5 5-6-6zM5.500 5.500h.01",
  more: "M3.500 8h.01M8 8h.01M12.500 8h.01",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
  speaker: "M2.500 6v4h2.500l3.500 3v-10L5 6zM11 5.500a3.500 3.500 0 0 1 0 5M12.800 3.500a6 6 0 0 1 0 9",
  muted: "M2.500 6v4h2.500l3.500 3v-10L5 6zM11 6l4 4M15 6l-4 4",
  image: "M2.500 3h11v10h-11zM2.500 11l3.500-3.500 3 3 1.500-1.500 3 3M10.500 6h.01",
  star: "M8 2l1.900 3.900 4.300.6-3.100 3 .7 4.300L8 11.800l-3.800 2 .7-4.300-3.100-3 4.300-.6z",
  code: "M5.500 4.500L2 8l3.500 3.500M10.500 4.500L14 8l-3.500 3.500",
  key: "M10.500 2.500a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8.300 7.700L2.500 13.500M4.500 11.500l2 2",
  aside: "M2.500 3h11v10h-11zM8 3v10",
  request: "M2.500 5.500h9M9 3l2.500 2.500L9 8M13.500 10.500h-9M7 8l-2.500 2.500L7 13",
  refresh: "M13 8a5 5 0 1 1-1.500-3.600M13 2.500V5h-2.500",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  const solid = name === "play" || name === "stop";
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill={solid ? "currentColor" : "none"}
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
