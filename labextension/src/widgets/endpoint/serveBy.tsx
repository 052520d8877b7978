/** How an endpoint is called now: HTTP, files by a schedule, messages of a broker. */
import * as React from 'react';

import type { EndpointView } from '../../generated';
import { Button, CommandButtons, Health } from '../ui/parts';
import { useServices } from '../ui/services';
import { ServeForm } from './serveForm';

export function ServeBy(props: {
  view: EndpointView;
  /** The endpoint has changed. */
  onChanged: () => void;
}): React.JSX.Element {
  const { view, onChanged } = props;
  const { trans } = useServices();
  const [open, setOpen] = React.useState(false);
  const button = React.useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setOpen(false);
    requestAnimationFrame(() => button.current?.focus());
  };
  const names = { batch: trans.__('Batch'), stream: trans.__('Stream') };
  return (
    <section className="nbd-ServeBy" aria-label={trans.__('Serve by')}>
      <div className="nbd-row nbd-mod-wrap">
        <span>
          <b>{trans.__('Serve by')}</b> {trans.__('HTTP')}
        </span>
        <Button
          ref={button}
          look="quiet"
          className="nbd-mod-right"
          disabled={!view.running}
          title={
            view.running
              ? trans.__('Score files by a schedule, or answer the messages of a broker')
              : trans.__('The endpoint is stopped')
          }
          aria-label={trans.__('Change how it is served…')}
          onClick={() => {
            setOpen(true);
          }}
        >
          {trans.__('Change…')}
        </Button>
      </div>
      {view.ways.map(({ way, words, state, healthy }) => (
        <div key={way} className="nbd-Way">
          <b>{names[way]}</b>
          <code title={words}>{words}</code>
          <Health healthy={view.running ? healthy : null} words={state} />
          <CommandButtons text={state} />
        </div>
      ))}
      {open && (
        <ServeForm
          view={view}
          onClose={close}
          onApplied={() => {
            close();
            onChanged();
          }}
        />
      )}
    </section>
  );
}
