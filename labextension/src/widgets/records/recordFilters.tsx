/** The filters of the records, and their order. */
import * as React from 'react';

import type { EndpointView } from '../../generated';
import { clock, version } from '../../words';
import { TYPING_MS, useDebounced } from '../ui/hooks';
import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

/** The filter of the records; empty: all. */
export interface Filter {
  readonly text: string;
  readonly role: string;
  readonly status: string;
  readonly release: string;
  /** Moments, ISO 8601: the range of the records. */
  readonly since: string;
  readonly until: string;
  /** Only requests that two releases answered differently; `most`: the largest difference first. */
  readonly differs: '' | 'yes' | 'most';
  /** A column with values, `age: >=60`. */
  readonly where: string;
  /** Not empty: only records behind a drift alarm. */
  readonly alarmed: string;
}

export const NO_FILTER: Filter = {
  text: '',
  role: '',
  status: '',
  release: '',
  since: '',
  until: '',
  differs: '',
  where: '',
  alarmed: ''
};

/** The filter as the fields of a request, also of an export. */
export function filtersOf(filter: Filter): Record<string, unknown> {
  const { text, role, status, release, since, until, differs, where, alarmed } = filter;
  return {
    ...(text && { text }),
    ...(role && { role }),
    ...(status && { status: Number(status) }),
    ...(release && { release }),
    ...(since && { since }),
    ...(until && { until }),
    ...(COMPLETE.test(where) && { where }),
    ...(differs && { differs: true }),
    ...(alarmed && { alarmed: true })
  };
}

/** The filter and the order as the fields of a request for a page. */
export function queryOf(filter: Filter): Record<string, unknown> {
  return { ...filtersOf(filter), ...(filter.differs === 'most' && { order: 'difference' }) };
}

/** Until there is a value after the colon, the user is still typing. */
const COMPLETE = /:\s*\S/;

export function Filters(props: {
  filter: Filter;
  view: EndpointView;
  onFilter: (filter: Filter) => void;
}): React.JSX.Element {
  const { filter, view, onFilter } = props;
  const { trans } = useServices();
  const [text, setText] = React.useState(filter.text);
  const [where, setWhere] = React.useState(filter.where);
  const latest = React.useRef(props);
  React.useEffect(() => {
    latest.current = props;
  });
  const settledText = useDebounced(text, TYPING_MS);
  const settledWhere = useDebounced(where, TYPING_MS);
  React.useEffect(() => {
    const { filter, onFilter } = latest.current;
    if (filter.text !== settledText || filter.where !== settledWhere) {
      onFilter({ ...filter, text: settledText, where: settledWhere });
    }
  }, [settledText, settledWhere]);
  const choose =
    (name: 'role' | 'status' | 'release' | 'differs' | 'alarmed') =>
    (event: React.ChangeEvent<HTMLSelectElement>) => {
      onFilter({ ...filter, [name]: event.target.value });
    };
  return (
    <div className="nbd-Filters" role="search" aria-label={trans.__('Filter the records')}>
      <input
        type="search"
        value={text}
        placeholder={trans.__('Text in input, output, error')}
        aria-label={trans.__('Text in input, output or error')}
        onChange={event => {
          setText(event.target.value);
        }}
      />
      <input
        type="text"
        value={where}
        placeholder={trans.__('Column: values, such as age: >=60')}
        aria-label={trans.__('Column and its values, such as age: >=60')}
        onChange={event => {
          setWhere(event.target.value);
        }}
      />
      <select value={filter.role} aria-label={trans.__('Role')} onChange={choose('role')}>
        <option value="">{trans.__('any role')}</option>
        {['stable', 'canary', 'shadow', 'probe', 'direct'].map(role => (
          <option key={role}>{role}</option>
        ))}
      </select>
      <select value={filter.status} aria-label={trans.__('Status')} onChange={choose('status')}>
        <option value="">{trans.__('any status')}</option>
        {[...new Set(['200', '400', '413', '422', '500', '503', filter.status])]
          .filter(Boolean)
          .map(status => (
            <option key={status}>{status}</option>
          ))}
      </select>
      <select value={filter.release} aria-label={trans.__('Release')} onChange={choose('release')}>
        <option value="">{trans.__('any release')}</option>
        {view.cards.map(card => (
          <option key={card.tag} value={card.tag}>
            {[card.label, version(card.tag)].filter(Boolean).join(' · ')} ({card.role})
          </option>
        ))}
      </select>
      {view.cards.length > 1 && (
        <select
          value={filter.differs}
          aria-label={trans.__('Answers')}
          onChange={choose('differs')}
        >
          <option value="">{trans.__('any answers')}</option>
          <option value="yes">{trans.__('answers differ')}</option>
          <option value="most">{trans.__('differ most first')}</option>
        </select>
      )}
      <select
        value={filter.alarmed}
        aria-label={trans.__('Drift alarm')}
        onChange={choose('alarmed')}
      >
        <option value="">{trans.__('alarm or none')}</option>
        <option value="yes">{trans.__('drift alarm')}</option>
      </select>
      {(filter.since || filter.until) && (
        <span className="nbd-Filters-range nbd-faint">
          {filter.since && trans.__('from %1', clock(filter.since))}{' '}
          {filter.until && trans.__('to %1', clock(filter.until))}{' '}
          <Button
            look="quiet"
            onClick={() => {
              onFilter({ ...filter, since: '', until: '' });
            }}
          >
            {trans.__('Any time')}
          </Button>
        </span>
      )}
    </div>
  );
}
