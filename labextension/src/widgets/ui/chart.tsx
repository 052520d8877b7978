/**
 * A Vega-Lite specification as wide as its container, drawn by JupyterLab's renderer, which is
 * loaded with the first chart.
 */
import * as React from 'react';

import type { Spec } from '../../charts';
import { fitChart } from '../../charts';
import { VEGA_LITE } from '../../renderer';
import { toProblemError } from '../../request';
import { Waiting } from './parts';
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
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrollable content must be reachable by keyboard
    <figure className="nbd-Chart" ref={place} tabIndex={scrolls ? 0 : undefined}>
      <figcaption>
        <h3>{shown.title}</h3>
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
