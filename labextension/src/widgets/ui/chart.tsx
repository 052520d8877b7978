/**
 * A Vega-Lite specification as wide as its container, drawn by JupyterLab's renderer, which is
 * loaded with the first chart.
 */
import * as React from 'react';

import { chartImage, download, drawnParts, fileName, pngOf } from '../../chartImage';
import type { Spec } from '../../charts';
import { fitChart } from '../../charts';
import { VEGA_LITE } from '../../renderer';
import { toProblemError } from '../../transport/request';
import { Button, Waiting } from './parts';
import { Rendered } from './rendered';
import { useServices } from './services';
import { useDark } from './theme';

/** The margin that JupyterLab adds around a chart. */
const MARGIN_PX = 20;

const OPTIONS = { embed_options: { actions: false, renderer: 'svg' } };

export function Chart(props: { spec: Spec; caption?: boolean }): React.JSX.Element {
  const { spec, caption = true } = props;
  const { trans, renderer } = useServices();
  const [failed, setFailed] = React.useState<string | null>(null);
  const [scrolls, setScrolls] = React.useState(false);
  const place = React.useRef<HTMLElement>(null);
  const width = useWidth(place);
  const dark = useDark();
  if (!renderer.mimeTypes.includes(VEGA_LITE)) {
    return (
      <p className="nbd-faint">
        {trans.__('Charts need the Vega renderer, which is disabled in this JupyterLab.')}
      </p>
    );
  }
  const shown = fitChart(spec, width);
  return (
    <figure
      className={`nbd-Chart ${'facet' in spec ? 'nbd-mod-whole' : ''}`}
      ref={place}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls is reached by keyboard
      tabIndex={scrolls ? 0 : undefined}
    >
      <figcaption>
        <div className="nbd-row">
          <h3>{shown.title}</h3>
          {failed === '' && <Export title={shown.title} figure={place} />}
        </div>
        {caption &&
          shown.caption.map((line, i) => (
            <p key={i} className="nbd-faint">
              {line}
            </p>
          ))}
        {failed === null && <Waiting words={trans.__('Drawing …')} />}
        {failed && <p>{trans.__('The chart could not be drawn: %1', failed)}</p>}
      </figcaption>
      <div role="img" aria-label={shown.description || shown.title}>
        {/* Vega's own roles would give each mark a name, some of them empty. */}
        <div aria-hidden="true">
          {width > 0 &&
            shown.specs.map((one, i) => (
              <Rendered
                key={`${String(dark)} ${i}`}
                renderer={renderer}
                mime={VEGA_LITE}
                data={one}
                metadata={OPTIONS}
                trusted
                onDrawn={error => {
                  const seen = place.current;
                  setScrolls(seen !== null && seen.scrollWidth > seen.clientWidth);
                  setFailed(error === null ? '' : toProblemError(error).message);
                }}
              />
            ))}
        </div>
      </div>
    </figure>
  );
}

/** Saves the chart as it is drawn. */
function Export(props: { title: string; figure: React.RefObject<HTMLElement> }): React.JSX.Element {
  const { title, figure } = props;
  const { trans, say } = useServices();
  const save = async (kind: 'svg' | 'png'): Promise<void> => {
    const element = figure.current;
    if (!element) return;
    const style = getComputedStyle(element);
    const background = style.getPropertyValue('--jp-layout-color1').trim() || 'white';
    const image = chartImage(drawnParts(element), title, { ink: style.color, background });
    try {
      const content =
        kind === 'svg' ? new Blob([image.svg], { type: 'image/svg+xml' }) : await pngOf(image);
      download(content, fileName(title, kind));
    } catch (error) {
      say(trans.__('The chart was not saved: %1', toProblemError(error).message));
    }
  };
  return (
    <span className="nbd-Chart-export">
      {(['svg', 'png'] as const).map(kind => (
        <Button
          key={kind}
          look="quiet"
          title={trans.__('Save the chart as %1', kind.toUpperCase())}
          aria-label={trans.__('Save "%1" as %2', title, kind.toUpperCase())}
          onClick={() => void save(kind)}
        >
          {kind.toUpperCase()}
        </Button>
      ))}
    </span>
  );
}

/** An element's width in steps of eight pixels: each new width draws the chart again. */
function useWidth(element: React.RefObject<HTMLElement>): number {
  const [width, setWidth] = React.useState(0);
  React.useLayoutEffect(() => {
    const seen = element.current;
    if (!seen) return undefined;
    const measure = (): void => {
      setWidth(Math.max(0, Math.floor((seen.clientWidth - MARGIN_PX) / 8) * 8));
    };
    measure();
    const observer = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(measure);
    observer?.observe(seen);
    return () => {
      observer?.disconnect();
    };
  }, [element]);
  return width;
}
