/** All endpoints: their health and request rate, filtered by name. */
import * as React from 'react';

import type { EndpointRow } from '../../generated';
import { rate, version } from '../../words';
import { Button, Empty } from '../ui/parts';
import { useServices } from '../ui/services';
import { VirtualList } from '../ui/virtualList';

interface Props {
  readonly endpoints: readonly EndpointRow[];
  readonly home: string;
  /** The server does not answer: the health is the last known one. */
  readonly stale: boolean;
  readonly filter: string;
  readonly onFilter: (filter: string) => void;
  readonly onOpen: (name: string) => void;
}

export function EndpointList(props: Props): React.JSX.Element {
  const { endpoints, home, stale, filter, onFilter, onOpen } = props;
  const { trans, deploy, findModel } = useServices();
  if (endpoints.length === 0) {
    return (
      <Empty
        title={trans.__('Nothing is deployed yet')}
        text={trans.__(
          'Open a notebook, train a model in it, and press Deploy. The model gets a URL, and its releases, traffic and records appear here.'
        )}
      >
        <Button look="primary" onClick={deploy ?? undefined}>
          {trans.__('Deploy…')}
        </Button>
        {findModel && <Button onClick={findModel}>{trans.__('Find a model for a table…')}</Button>}
        {home && <p className="nbd-faint nbd-home">{trans.__('Home: %1', home)}</p>}
      </Empty>
    );
  }
  const query = filter.trim().toLowerCase();
  const shown = query ? endpoints.filter(one => matches(one, query)) : endpoints;
  return (
    <div className="nbd-Endpoints">
      <input
        type="search"
        className="nbd-Endpoints-filter"
        value={filter}
        placeholder={trans.__('Filter')}
        aria-label={trans.__('Filter the endpoints')}
        onChange={event => {
          onFilter(event.target.value);
        }}
        onKeyDown={event => {
          if (event.key !== 'ArrowDown') return;
          event.preventDefault();
          event.currentTarget.parentElement?.querySelector<HTMLElement>('[role=listbox]')?.focus();
        }}
      />
      <p className="nbd-unseen" role="status">
        {query ? trans._n('%1 endpoint matches', '%1 endpoints match', shown.length) : ''}
      </p>
      {shown.length === 0 ? (
        <Empty
          title={trans.__('No match')}
          text={trans.__('No endpoint has "%1" in its name.', filter.trim())}
        >
          <Button
            onClick={() => {
              onFilter('');
            }}
          >
            {trans.__('Show all')}
          </Button>
        </Empty>
      ) : (
        <VirtualList
          items={shown}
          label={trans.__('Endpoints')}
          rowHeight={52}
          keyOf={nameOf}
          row={one => <Row row={one} stale={stale} />}
          onOpen={one => {
            onOpen(one.name);
          }}
        />
      )}
    </div>
  );
}

function nameOf(row: EndpointRow): string {
  return row.name;
}

function matches(row: EndpointRow, query: string): boolean {
  return row.name.toLowerCase().includes(query) || row.words.toLowerCase().includes(query);
}

function Row(props: { row: EndpointRow; stale: boolean }): React.JSX.Element {
  const { row, stale } = props;
  const { trans } = useServices();
  const state = !row.running || stale ? 'unknown' : row.healthy ? 'good' : 'bad';
  const facts = [
    stale ? trans.__('last known: %1', row.words) : row.words,
    row.stable && version(row.stable),
    row.candidates > 0 && trans._n('%1 candidate', '%1 candidates', row.candidates)
  ].filter(Boolean);
  return (
    <div className="nbd-EndpointRow" title={`${row.name}\n${row.url}\n${facts.join(' · ')}`}>
      <span className="nbd-Health" data-state={state}>
        <i aria-hidden="true">{state === 'unknown' ? '○' : state === 'good' ? '●' : '▲'}</i>
      </span>
      <span className="nbd-EndpointRow-name nbd-cut">{row.name}</span>
      <span className="nbd-EndpointRow-rate">{row.running ? rate(trans, row.rate) : ''}</span>
      <span className="nbd-EndpointRow-facts nbd-cut">{facts.join(' · ')}</span>
    </div>
  );
}
