/** The range of time: one of the usual ones that end now, or two moments; and a second one to compare with. */
import * as React from 'react';

import { Button } from '../ui/parts';
import { useServices } from '../ui/services';

/** Values of a request's `since` and `until`; null: all, and now. */
export interface Range {
  readonly since: string | null;
  readonly until: string | null;
}

const CUSTOM = 'custom';
const ALL = 'all';
const USUAL = ['1h', '24h', '7d', '30d'] as const;

export const FIRST_RANGE: Range = { since: '24h', until: null };

/** The second range: none, as long before the first, a week earlier, or two moments. */
export type Second = 'none' | 'before' | 'week' | Range;

const HOURS: Readonly<Record<string, number>> = { '1h': 1, '24h': 24, '7d': 168, '30d': 720 };
const WEEK_HOURS = 168;
const HOUR_MS = 3_600_000;

/** The fields of a request for the second range; empty: none. */
export function comparedFields(range: Range, second: Second): Record<string, string> {
  if (second === 'none') return {};
  if (typeof second === 'object') {
    return { compare_since: second.since ?? '', compare_until: second.until ?? '' };
  }
  const hours = HOURS[range.since ?? ''];
  if (range.until === null && hours !== undefined) {
    const earlier = second === 'before' ? hours : WEEK_HOURS;
    return { compare_since: `${String(hours + earlier)}h`, compare_until: `${String(earlier)}h` };
  }
  if (range.since === null || range.until === null) return {};
  const [since, until] = [Date.parse(range.since), Date.parse(range.until)];
  const earlier = second === 'before' ? until - since : WEEK_HOURS * HOUR_MS;
  return {
    compare_since: new Date(since - earlier).toISOString(),
    compare_until: new Date(until - earlier).toISOString()
  };
}

export function SecondPicker(props: {
  range: Range;
  second: Second;
  onSecond: (second: Second) => void;
}): React.JSX.Element {
  const { range, second, onSecond } = props;
  const { trans } = useServices();
  const [custom, setCustom] = React.useState(false);
  const usual = typeof second === 'string' ? second : CUSTOM;
  const chosen = custom ? CUSTOM : range.since === null ? 'none' : usual;
  return (
    <>
      <label className="nbd-row">
        <span className="nbd-cut">{trans.__('Compare with')}</span>
        <select
          value={chosen}
          onChange={event => {
            const { value } = event.target;
            setCustom(value === CUSTOM);
            if (value !== CUSTOM) onSecond(value as Second);
          }}
        >
          <option value="none">{trans.__('nothing')}</option>
          {/* Of all time nothing is earlier. */}
          <option value="before" disabled={range.since === null}>
            {trans.__('the time before')}
          </option>
          <option value="week" disabled={range.since === null}>
            {trans.__('a week earlier')}
          </option>
          <option value={CUSTOM}>{trans.__('from … to …')}</option>
        </select>
      </label>
      {custom && (
        <Moments
          label={trans.__('Second range of time')}
          range={typeof second === 'object' ? second : range}
          onRange={onSecond}
        />
      )}
    </>
  );
}

export function RangePicker(props: {
  range: Range;
  onRange: (range: Range) => void;
}): React.JSX.Element {
  const { range, onRange } = props;
  const { trans } = useServices();
  const [custom, setCustom] = React.useState(range.until !== null);
  const names: Record<(typeof USUAL)[number], string> = {
    '1h': trans.__('1 hour'),
    '24h': trans.__('24 hours'),
    '7d': trans.__('7 days'),
    '30d': trans.__('30 days')
  };
  return (
    <>
      <label className="nbd-row">
        <span className="nbd-cut">{trans.__('The last')}</span>
        <select
          value={custom ? CUSTOM : (range.since ?? ALL)}
          onChange={event => {
            const { value } = event.target;
            setCustom(value === CUSTOM);
            if (value !== CUSTOM) onRange({ since: value === ALL ? null : value, until: null });
          }}
        >
          {USUAL.map(one => (
            <option key={one} value={one}>
              {names[one]}
            </option>
          ))}
          <option value={ALL}>{trans.__('all time')}</option>
          <option value={CUSTOM}>{trans.__('from … to …')}</option>
        </select>
      </label>
      {custom && <Moments label={trans.__('Range of time')} range={range} onRange={onRange} />}
    </>
  );
}

/** Two moments in the browser's time zone. */
function Moments(props: {
  label: string;
  range: Range;
  onRange: (range: Range) => void;
}): React.JSX.Element {
  const { label, range, onRange } = props;
  const { trans } = useServices();
  const [now] = React.useState(() => Date.now());
  const [since, setSince] = React.useState(() => local(range.since, now - 86_400_000));
  const [until, setUntil] = React.useState(() => local(range.until, now));
  const valid = since !== '' && until !== '' && since < until;
  return (
    <form
      className="nbd-row nbd-mod-wrap"
      aria-label={label}
      onSubmit={event => {
        event.preventDefault();
        if (valid) onRange({ since: iso(since), until: iso(until) });
      }}
    >
      <Moment label={trans.__('from')} value={since} onValue={setSince} />
      <Moment label={trans.__('to')} value={until} onValue={setUntil} />
      <Button type="submit" aria-disabled={!valid}>
        {trans.__('Show')}
      </Button>
      {!valid && <span role="status">{trans.__('The end must be after the begin.')}</span>}
    </form>
  );
}

function Moment(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
}): React.JSX.Element {
  return (
    <label className="nbd-row">
      {props.label}
      <input
        type="datetime-local"
        value={props.value}
        onChange={event => {
          props.onValue(event.target.value);
        }}
      />
    </label>
  );
}

/** `2026-12-01T10:30` in the browser's time zone; `given` may be a duration. */
function local(given: string | null, otherwise: number): string {
  const parsed = given === null ? NaN : Date.parse(given);
  const moment = new Date(Number.isNaN(parsed) ? otherwise : parsed);
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

function iso(text: string): string {
  return new Date(text).toISOString();
}
