/** The Realtime events that the playground sends and reads (realtime protocol, GA names). */

export interface ServerEvent {
  type: string;
  event_id?: string;
  [field: string]: unknown;
}

export interface ClientEvent {
  type: string;
  [field: string]: unknown;
}
