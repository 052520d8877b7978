/** Draws data of a MIME type: JupyterLab's renderers, or the panel's own. */
export interface Renderer {
  readonly mimeTypes: readonly string[];
  /** An empty drawing within an element of the page. */
  create(mime: string, element: HTMLElement): Drawing;
}

export interface Drawing {
  /** `trusted` false: the data are sanitised first. */
  draw(data: unknown, metadata: Readonly<Record<string, unknown>>, trusted: boolean): Promise<void>;
  /** Called while the element is still in the page. */
  dispose(): void;
}

export const VEGA_LITE = 'application/vnd.vegalite.v5+json';
