/** The head of an endpoint: its state, its address, and what stops or removes it. */
import * as React from 'react';

import type { EndpointView } from '../../generated';
import type { Section } from '../../model';
import { Button, CommandButtons, Copy, Health } from '../ui/parts';
import { useServices } from '../ui/services';
import type { ProposeChange } from './releaseCard';

export function Header(props: {
  view: EndpointView;
  tab: Section;
  stale: boolean;
  propose: ProposeChange;
}): React.JSX.Element {
  const { view, tab, stale, propose } = props;
  const { trans, linkTo } = useServices();
  return (
    <header className="nbd-Header">
      <div className="nbd-Header-title">
        <h2 title={view.name}>{view.name}</h2>
        <Health
          healthy={view.running && !stale ? view.healthy : null}
          words={stale ? trans.__('last known: %1', view.words) : view.words}
        />
      </div>
      <CommandButtons text={view.words} />
      <div className="nbd-Header-url">
        <code title={view.url}>{view.url}</code>
        <Copy text={view.url} label={trans.__('Copy the URL')} />
        {linkTo && (
          <Copy
            text={linkTo(view.name, tab)}
            label={trans.__('Copy a link to this view')}
            word={trans.__('Copy link')}
          />
        )}
      </div>
      <div className="nbd-Header-facts">
        <span className="nbd-faint">
          {view.target === 'local' ? '' : `${trans.__('target: %1', view.target)} · `}
          {trans.__('revision %1', view.revision)} · {trans.__('records: %1', view.record)}
        </span>
        <Button
          look="quiet"
          disabled={view.previous === null}
          title={
            view.previous
              ? trans.__('Back to revision %1', view.previous)
              : trans.__('There is no earlier revision')
          }
          onClick={() => {
            propose('rollback', {});
          }}
        >
          {view.running ? trans.__('Roll back…') : trans.__('Start again…')}
        </Button>
        {view.running && (
          <Button
            look="quiet"
            title={trans.__('Records and history are kept; the endpoint can be started again')}
            onClick={() => {
              propose('stop', {});
            }}
          >
            {trans.__('Stop…')}
          </Button>
        )}
        <Button
          look="quiet"
          title={trans.__('The endpoint, its history and its records go permanently')}
          onClick={() => {
            propose('delete', {});
          }}
        >
          {trans.__('Delete…')}
        </Button>
      </div>
      {view.validations.length > 0 && (
        <details className="nbd-faint">
          <summary>
            {trans._n(
              '%1 validation of every release',
              '%1 validations of every release',
              view.validations.length
            )}
          </summary>
          <ul>
            {view.validations.map((one, i) => (
              <li key={i}>{one}</li>
            ))}
          </ul>
        </details>
      )}
    </header>
  );
}
