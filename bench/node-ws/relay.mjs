// A relay as many write it: every message is parsed and written again. Arguments: own port, provider's port.
import { WebSocket, WebSocketServer } from "ws";

const [port, provider] = process.argv.slice(2);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });

server.on("connection", (client, request) => {
  const upstream = new WebSocket(`ws://127.0.0.1:${provider}${request.url}`, { perMessageDeflate: false });
  const waiting = [];
  const pass = (to) => (data) => to.send(JSON.stringify(JSON.parse(data)));
  client.on("message", (data) => {
    if (upstream.readyState === WebSocket.OPEN) pass(upstream)(data);
    else waiting.push(data);
  });
  upstream.on("open", () => waiting.splice(0).forEach(pass(upstream)));
  upstream.on("message", pass(client));
  upstream.on("close", () => client.close());
  client.on("close", () => upstream.close());
  upstream.on("error", () => client.terminate());
  client.on("error", () => upstream.terminate());
});
