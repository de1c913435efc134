/** A tool to try tool calls with: the browser answers it itself, with weather invented from the city's name. */

export const WEATHER_TOOL = {
  type: "function",
  name: "get_weather",
  description: "The current weather in a city (invented, for demonstrations).",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "The city's name" } },
    required: ["city"],
    additionalProperties: false,
  },
};

const SKIES = ["sunny", "cloudy", "light rain", "windy", "clear"];

function seed(text: string): number {
  let hash = 7;
  for (const char of text.toLowerCase()) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return hash;
}

/** The output of one call, as JSON text; wrong arguments give an error that the model can read. */
export function answerTool(name: string, argumentsJson: string): string {
  if (name !== WEATHER_TOOL.name) return JSON.stringify({ error: `unknown tool ${name}` });
  let city: unknown;
  try {
    const args = JSON.parse(argumentsJson) as Record<string, unknown>;
    city = args.city ?? args.location;
  } catch {
    return JSON.stringify({ error: "the arguments are not JSON" });
  }
  if (typeof city !== "string" || !city.trim()) return JSON.stringify({ error: "`city` is missing" });
  const value = seed(city.trim());
  return JSON.stringify({
    city: city.trim(),
    temperature: `${(value % 28) + 2} degrees`,
    sky: SKIES[value % SKIES.length],
  });
}
