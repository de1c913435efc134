/** What a span says of the pictures in it. */
import type { Span } from "../api/types";
import { fields } from "./trace";

export interface ShownImage {
  /** As its sender called it. */
  kind: string | null;
  bytes: number;
  /** Null: it is somewhere else, or its trace is of a time before pictures were found again. */
  digest: string | null;
}

const BASE64_SHARE = 0.75;

export function imagesOf(span: Span): ShownImage[] {
  // Those that a user showed, or that a request had made.
  const { images } = fields(span.type === "response" ? span.output : span.input);
  if (!["user", "response"].includes(span.type) || !Array.isArray(images)) return [];
  return images.map(fields).map(({ content_type, chars, digest }) => ({
    kind: typeof content_type === "string" ? content_type : null,
    bytes: typeof chars === "number" ? Math.round(chars * BASE64_SHARE) : 0,
    // What is no data URL is not fetched: nothing leaves this origin.
    digest: typeof digest === "string" && typeof content_type === "string" ? digest : null,
  }));
}
