/** Drawings of the panel: charts that the kernel draws, and pages of which only known tags are kept. */
import type { DrawingView } from '../generated';
import { type Renderer, VEGA_LITE } from '../renderer';
import type { Services } from '../widgets/ui/services';
import { isDark } from '../widgets/ui/theme';

export function panelRenderer(view: Services['view']): Renderer {
  return {
    mimeTypes: [VEGA_LITE, 'text/html'],
    create: (mime, element) => ({
      draw: async data => {
        const drawn = mime === VEGA_LITE ? await image(view, data) : page(String(data));
        element.replaceChildren(drawn);
      },
      dispose: () => {
        element.replaceChildren();
      }
    })
  };
}

/** As an image it runs no script and loads nothing. */
async function image(view: Services['view'], spec: unknown): Promise<Node> {
  const { svg } = await view<DrawingView>('drawing', { spec, dark: isDark() });
  const made = document.createElement('img');
  made.alt = '';
  made.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  return made;
}

const TAGS = new Set(
  'p h2 h3 h4 h5 h6 table caption thead tbody tr th td ul ol li dl dt dd pre code b strong i em small span div details summary br section'.split(
    ' '
  )
);
const ATTRIBUTES = ['class', 'title', 'scope', 'colspan', 'rowspan', 'open'];

/** HTML from Python without what it should not contain. */
export function page(html: string): Node {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  const made = document.createElement('div');
  made.append(...copies(parsed.body));
  return made;
}

function copies(from: Node): Node[] {
  return [...from.childNodes].flatMap(node => {
    if (node instanceof Text) return [document.createTextNode(node.data)];
    if (!(node instanceof Element)) return [];
    const tag = node.localName;
    if (tag === 'script' || tag === 'style') return [];
    if (!TAGS.has(tag)) return copies(node);
    const made = document.createElement(tag);
    for (const name of ATTRIBUTES) {
      const value = node.getAttribute(name);
      if (value !== null) made.setAttribute(name, value);
    }
    made.append(...copies(node));
    return [made];
  });
}
