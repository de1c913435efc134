/** Pictures for a message: a file in, a data URL that a provider takes out. Large ones are made smaller first. */

export interface Picture {
  id: string;
  name: string;
  url: string;
}

const TYPES = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);
const LARGEST_SENT_BYTES = 3 << 20;
const LONGEST_SIDE_PX = 2048;
const QUALITY = 0.88;

export const isPicture = (file: File) => file.type.startsWith("image/");

export async function readPicture(file: File): Promise<Picture> {
  if (!TYPES.has(file.type)) {
    throw new Error(
      `${file.name || "This"} is ${file.type || "of no known kind"}. Use PNG, JPEG, WebP or GIF.`,
    );
  }
  const url = file.size <= LARGEST_SENT_BYTES ? await dataUrl(file) : await smaller(file);
  return {
    id: crypto.randomUUID?.() ?? `${file.name}-${performance.now()}`,
    name: file.name || "picture",
    url,
  };
}

function dataUrl(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error(`${file.name} could not be read.`));
    reader.readAsDataURL(file);
  });
}

async function smaller(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", QUALITY);
}

/** The pictures among what was pasted or dropped. */
export function picturesIn(data: DataTransfer | null): File[] {
  return [...(data?.files ?? [])].filter(isPicture);
}
