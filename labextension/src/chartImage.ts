/** A drawn chart as a file: SVG, or PNG at twice its size. */

export interface ChartImage {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

const MARGIN = 12;
const TITLE_PX = 26;
const SVG = 'http://www.w3.org/2000/svg';

/** The parts of a drawing, one below the other, with the title that the page shows above them. */
export function chartImage(
  parts: readonly SVGSVGElement[],
  title: string,
  colours: { ink: string; background: string }
): ChartImage {
  const made = document.implementation.createDocument(SVG, 'svg', null);
  const root = made.documentElement;
  const boxes = parts.map(part => ({ part, ...sizeOf(part) }));
  const width = Math.max(0, ...boxes.map(box => box.width)) + 2 * MARGIN;
  const height = boxes.reduce((sum, box) => sum + box.height, TITLE_PX + 2 * MARGIN);
  set(root, { width, height, viewBox: `0 0 ${String(width)} ${String(height)}` });
  const background = made.createElementNS(SVG, 'rect');
  set(background, { width, height, fill: colours.background });
  const head = made.createElementNS(SVG, 'text');
  set(head, {
    x: MARGIN,
    y: MARGIN + 14,
    fill: colours.ink,
    'font-family': 'sans-serif',
    'font-size': 14,
    'font-weight': 'bold'
  });
  head.textContent = title;
  root.append(background, head);
  let top = MARGIN + TITLE_PX;
  for (const box of boxes) {
    const copy = made.importNode(box.part, true);
    set(copy, { x: MARGIN, y: top, width: box.width, height: box.height });
    copy.removeAttribute('style');
    root.append(copy);
    top += box.height;
  }
  return { svg: new XMLSerializer().serializeToString(root), width, height };
}

function set(element: Element, attributes: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}

function sizeOf(svg: SVGSVGElement): { width: number; height: number } {
  const [, , width = 0, height = 0] = (svg.getAttribute('viewBox') ?? '')
    .split(/[ ,]+/)
    .map(Number);
  return {
    width: Number.parseFloat(svg.getAttribute('width') ?? '') || width,
    height: Number.parseFloat(svg.getAttribute('height') ?? '') || height
  };
}

/** The SVG elements of a drawing; the panel draws images, whose source is SVG. */
export function drawnParts(element: Element): SVGSVGElement[] {
  const inline = [...element.querySelectorAll<SVGSVGElement>('svg')].filter(
    svg => svg.parentElement?.closest('svg') === null
  );
  const images = [...element.querySelectorAll('img')].flatMap(image => {
    const [, text = ''] = image.src.split(',', 2);
    const parsed = new DOMParser().parseFromString(decodeURIComponent(text), 'image/svg+xml');
    return parsed.documentElement.localName === 'svg'
      ? [parsed.documentElement as unknown as SVGSVGElement]
      : [];
  });
  return [...inline, ...images];
}

export async function pngOf(image: ChartImage, scale = 2): Promise<Blob> {
  const picture = new Image();
  picture.src = urlOf(image);
  await picture.decode();
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(image.width * scale);
  canvas.height = Math.ceil(image.height * scale);
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob(blob => {
      if (blob) resolve(blob);
      else reject(new Error('the browser made no PNG'));
    }, 'image/png');
  });
}

function urlOf(image: ChartImage): string {
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(image.svg)}`;
}

/** Saves a file in the browser's downloads. */
export function download(content: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}

/** A title as a file's name. */
export function fileName(title: string, kind: 'svg' | 'png'): string {
  const words = title.toLowerCase().match(/[\p{Letter}\p{Number}]+/gu) ?? ['chart'];
  return `${words.join('-').slice(0, 80)}.${kind}`;
}
