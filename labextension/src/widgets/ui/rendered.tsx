/** Data of a MIME type, drawn by JupyterLab's renderer in an element that React keeps. */
import type { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { MimeModel } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

interface Props {
  readonly rendermime: IRenderMimeRegistry;
  readonly mime: string;
  readonly data: unknown;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** False: JupyterLab sanitises it. */
  readonly trusted: boolean;
  /** Called after it was drawn: with an error, or null. */
  readonly onDrawn?: (error: unknown) => void;
}

export function Rendered(props: Props): React.JSX.Element {
  const { rendermime, mime, trusted } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const renderer = React.useRef<IRenderMime.IRenderer | null>(null);
  const onDrawn = React.useRef(props.onDrawn);
  React.useEffect(() => {
    onDrawn.current = props.onDrawn;
  });
  // It is disposed while the element is still in the page, as Lumino requires.
  React.useLayoutEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const made = rendermime.createRenderer(mime);
    renderer.current = made;
    Widget.attach(made, element);
    return () => {
      renderer.current = null;
      if (made.node.isConnected) Widget.detach(made);
      made.dispose();
    };
  }, [rendermime, mime]);
  const content = JSON.stringify([props.data, props.metadata ?? {}]); // the same data is not drawn again
  React.useEffect(() => {
    const [data, metadata] = JSON.parse(content) as [never, never];
    renderer.current
      ?.renderModel(
        new MimeModel({ trusted, data: { [mime]: data }, metadata: { [mime]: metadata } })
      )
      .then(
        () => {
          onDrawn.current?.(null);
        },
        (error: unknown) => {
          onDrawn.current?.(error);
        }
      );
  }, [content, mime, trusted, rendermime]);
  return <div ref={host} />;
}
