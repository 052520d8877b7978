/** Data of a MIME type, drawn by a renderer in an element that React keeps. */
import * as React from 'react';

import type { Drawing, Renderer } from '../../renderer';

interface Props {
  readonly renderer: Renderer;
  readonly mime: string;
  readonly data: unknown;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** False: the renderer sanitises it. */
  readonly trusted: boolean;
  /** Called after it was drawn: with an error, or null. */
  readonly onDrawn?: (error: unknown) => void;
}

export function Rendered(props: Props): React.JSX.Element {
  const { renderer, mime, trusted } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const drawing = React.useRef<Drawing | null>(null);
  const onDrawn = React.useRef(props.onDrawn);
  React.useEffect(() => {
    onDrawn.current = props.onDrawn;
  });
  // It is disposed while the element is still in the page, as Lumino requires.
  React.useLayoutEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const made = renderer.create(mime, element);
    drawing.current = made;
    return () => {
      drawing.current = null;
      made.dispose();
    };
  }, [renderer, mime]);
  const content = JSON.stringify([props.data, props.metadata ?? {}]); // the same data is not drawn again
  React.useEffect(() => {
    const [data, metadata] = JSON.parse(content) as [unknown, Record<string, unknown>];
    drawing.current?.draw(data, metadata, trusted).then(
      () => {
        onDrawn.current?.(null);
      },
      (error: unknown) => {
        onDrawn.current?.(error);
      }
    );
  }, [content, mime, trusted, renderer]);
  return <div ref={host} />;
}
