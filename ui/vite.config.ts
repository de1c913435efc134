import react from "@vitejs/plugin-react";
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the app on its own port and passes the API on to a running Voxgate or to dev/mock-server.mjs.
const gateway = loadEnv("", ".", "VOXGATE_").VOXGATE_URL ?? "http://127.0.0.1:8600";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    // Nothing inline: the page must work under a Content-Security-Policy of 'self' alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  worker: { format: "es" },
  server: { proxy: { "/api": gateway, "/v1": { target: gateway, ws: true } } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
