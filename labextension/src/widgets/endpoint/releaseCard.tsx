/** One release: its state, and the controls that change its traffic. */
import * as React from 'react';

import type { ChangeFields, ChangeVerb } from '../../changes';
import type { ReleaseCard as Card } from '../../generated';
import { ago, clock, milliseconds, percent, rate, short, since, threeDigits } from '../../words';
import { Button, Health, RoleBadge, Sparkline, Switch } from '../ui/parts';
import { useServices } from '../ui/services';
import { ReleaseLabel } from './releaseLabel';
import { Resources } from './usage';

/** Proposes a change; the control that was used gets the focus back. */
export type ProposeChange = (verb: ChangeVerb, fields: ChangeFields) => void;

interface Props {
  readonly card: Card;
  /** The endpoint's name: a tag is shown without it. */
  readonly endpoint: string;
  readonly now: number;
  /** The endpoint runs, so counts and shares have a meaning. */
  readonly running: boolean;
  /** The server does not answer: the health is the last known one. */
  readonly stale: boolean;
  /** A change of this release is in progress. */
  readonly busy: boolean;
  /** Increases when typed values are discarded. */
  readonly givenUp: number;
  readonly propose: ProposeChange;
  readonly onCompare: () => void;
  readonly showRefusals: () => void;
  readonly showLog: () => void;
}

export function ReleaseCard(props: Props): React.JSX.Element {
  const { card, now, busy, propose } = props;
  const { trans, openReport, publish } = useServices();
  const id = React.useId();
  const facts = [
    card.framework,
    card.image ? trans.__('runs from an image') : '',
    card.stochastic ? trans.__('stochastic') : '',
    card.found
  ].filter(Boolean);
  return (
    <article className="nbd-Card" data-role={card.role} aria-labelledby={id} aria-busy={busy}>
      <div className="nbd-Card-top">
        <ReleaseLabel id={id} card={card} endpoint={props.endpoint} />
        <RoleBadge role={card.role} percent={card.percent} />
      </div>
      <Origin card={card} />
      <p
        className="nbd-faint"
        title={[trans.__('created %1', clock(card.created)), card.image, ...card.findings]
          .filter(Boolean)
          .join('\n')}
      >
        {[...facts, ago(trans, card.created, now)].join(' · ')}
      </p>
      {card.changes && <p className="nbd-Card-changes">{card.changes}</p>}
      {Object.keys(card.metrics).length > 0 && (
        <p className="nbd-faint" title={trans.__('as the notebook computed them')}>
          {Object.entries(card.metrics)
            .map(([name, value]) => `${name} ${threeDigits(value)}`)
            .join(' · ')}
        </p>
      )}
      {card.gates && (
        <details className="nbd-Gates" data-verdict={card.gates.verdict}>
          <summary>
            <span>{card.gates.words}</span>
          </summary>
          <ul>
            {card.gates.lines.map((line, i) => (
              <li key={i}>{line}</li>
            ))}
          </ul>
          <p className="nbd-row">
            <span className="nbd-faint">
              {trans.__('validated %1', ago(trans, card.gates.at, now))}
            </span>
            {card.gates.report && (
              <Button
                look="quiet"
                aria-label={trans.__('Report on the gates of %1', short(card.tag))}
                onClick={() => {
                  openReport({ tag: card.tag }, trans.__('Report on %1', short(card.tag)));
                }}
              >
                {trans.__('Open the report')}
              </Button>
            )}
          </p>
        </details>
      )}
      <p className="nbd-row nbd-Card-health">
        <Health
          healthy={props.stale || (card.role === 'idle' && !card.health) ? null : card.healthy}
          words={props.stale && card.health ? trans.__('last known: %1', card.health) : card.health}
        />
        <Button
          look="quiet"
          className="nbd-mod-right"
          aria-label={trans.__('Log of %1', short(card.tag))}
          title={trans.__('What the release printed, with tracebacks')}
          onClick={props.showLog}
        >
          {trans.__('Log')}
        </Button>
      </p>
      {card.counts && <Counts card={card} showRefusals={props.showRefusals} />}
      <Resources card={card} />
      <Published card={card} />
      <div className="nbd-Card-controls">
        {card.role !== 'stable' && (
          <>
            <Shadow
              card={card}
              busy={busy}
              propose={propose}
              key={`shadow ${String(props.givenUp)}`}
            />
            <Canary card={card} propose={propose} key={`canary ${String(props.givenUp)}`} />
          </>
        )}
        <div className="nbd-row nbd-mod-end nbd-mod-wrap">
          <Button
            title={trans.__('Build a container image of this release and push it to a registry')}
            aria-label={trans.__('Publish %1', short(card.tag))}
            onClick={() => {
              publish(props.endpoint, card.tag);
            }}
          >
            {trans.__('Publish…')}
          </Button>
          {card.role !== 'stable' && (
            <>
              <Button
                aria-label={trans.__('Compare %1 with stable', short(card.tag))}
                onClick={props.onCompare}
              >
                {trans.__('Compare')}
              </Button>
              <Button
                look="primary"
                aria-label={trans.__('Promote %1', short(card.tag))}
                onClick={() => {
                  propose('promote', { tag: card.tag });
                }}
              >
                {trans.__('Promote…')}
              </Button>
            </>
          )}
        </div>
      </div>
    </article>
  );
}

/** Its images in registries, newest first. */
function Published({ card }: { card: Card }): React.JSX.Element | null {
  const { trans } = useServices();
  const [latest, ...others] = card.published;
  if (latest === undefined) return null;
  return (
    <p className="nbd-Card-published nbd-faint" title={card.published.join('\n')}>
      {trans.__('published as')} <code>{latest}</code>
      {others.length > 0 && trans._n(' and %1 other place', ' and %1 other places', others.length)}
    </p>
  );
}

/** The variable and the notebook; a click opens the notebook. */
function Origin(props: { card: Card }): React.JSX.Element | null {
  const { card } = props;
  const { trans, openNotebook, say } = useServices();
  const [elsewhere, setElsewhere] = React.useState(false);
  if (!card.variable && !card.notebook) return null;
  const open = async (): Promise<void> => {
    if (!openNotebook) return;
    const found = await openNotebook(card.path);
    setElsewhere(!found);
    if (!found) say(trans.__('%1 is not in the folder that this server shows.', card.path));
  };
  return (
    <p className="nbd-Card-origin">
      {card.variable && <code>{card.variable}</code>}
      {card.variable && card.notebook && <span className="nbd-faint"> {trans.__('in')} </span>}
      {card.notebook && !openNotebook && <span title={card.path}>{card.notebook}</span>}
      {card.notebook && openNotebook && (
        <button type="button" className="nbd-link" title={card.path} onClick={() => void open()}>
          {card.notebook}
        </button>
      )}
      {elsewhere && (
        <span className="nbd-faint">
          {' '}
          {trans.__('(not in the folder that this server shows: %1)', card.path)}
        </span>
      )}
    </p>
  );
}

function Counts(props: { card: Card; showRefusals: () => void }): React.JSX.Element | null {
  const { trans } = useServices();
  const { counts, role } = props.card;
  if (!counts) return null;
  const copies = role === 'shadow';
  const facts: [string, string, string][] = [
    [
      copies ? trans.__('copies') : trans.__('requests'),
      counts.requests.toLocaleString(),
      trans.__('predictions in the present role')
    ],
    [trans.__('errors'), counts.errors.toLocaleString(), trans.__('answers of 500 and above')],
    [
      trans.__('refused'),
      counts.refused.toLocaleString(),
      trans.__('answers of 400 to 499; Live shows the reasons')
    ],
    [trans.__('now'), rate(trans, counts.rates.at(-1)), trans.__('requests a second')],
    [
      trans.__('median'),
      milliseconds(counts.p50_ms),
      trans.__('time to an answer, as the gateway measured it')
    ]
  ];
  return (
    <>
      <dl className="nbd-Counts">
        {facts.map(([name, value, title], i) => (
          <div
            key={i}
            title={title}
            data-bad={(i === 1 && counts.errors > 0) || (i === 2 && counts.refused > 0)}
          >
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="nbd-faint" title={counts.since ? clock(counts.since) : undefined}>
        {[
          counts.since ? trans.__('since %1', since(counts.since)) : '',
          counts.recorded !== null
            ? trans.__('%1 recorded in all', counts.recorded.toLocaleString())
            : ''
        ]
          .filter(Boolean)
          .join(' · ')}
      </p>
      {counts.refused > 0 && (
        <Button look="quiet" onClick={props.showRefusals}>
          {trans._n('Why was it refused?', 'Why were %1 refused?', counts.refused)}
        </Button>
      )}
      {counts.rates.length > 1 && <Sparkline rates={counts.rates} />}
    </>
  );
}

/** A value that follows the endpoint until the user changes it, and then waits for the user. */
function useDraft(value: number): { value: string; touched: boolean; set: (text: string) => void } {
  const [draft, setDraft] = React.useState<string | null>(null);
  const touched = draft !== null && (draft === '' || Number(draft) !== value);
  return { value: touched ? draft : String(value), touched, set: setDraft };
}

function Shadow(props: { card: Card; busy: boolean; propose: ProposeChange }): React.JSX.Element {
  const { card, busy, propose } = props;
  const { trans } = useServices();
  const on = card.role === 'shadow';
  const draft = useDraft(on ? card.percent : 100);
  const name = short(card.tag);
  const share = Number(draft.value);
  const valid = draft.value !== '' && share >= 0 && share <= 100;
  return (
    <form
      className="nbd-row"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        if (on && draft.touched && valid) propose('traffic', { shadow: { [card.tag]: share } });
      }}
    >
      <span className="nbd-label">{trans.__('Shadow')}</span>
      <Switch
        on={on}
        busy={busy}
        label={trans.__('Shadow %1', name)}
        title={trans.__('Send copies of requests to %1', card.tag)}
        onToggle={() => {
          propose('traffic', { shadow: { [card.tag]: on ? 0 : valid && share > 0 ? share : 100 } });
        }}
      />
      <input
        type="number"
        min={0}
        max={100}
        step="any"
        required
        value={draft.value}
        data-touched={draft.touched}
        aria-invalid={!valid}
        aria-label={trans.__('Percent of requests copied to %1', name)}
        onChange={event => {
          draft.set(event.target.value);
        }}
      />
      <span aria-hidden="true">%</span>
      {on && (
        <Button
          type="submit"
          disabled={!draft.touched || !valid}
          aria-label={trans.__("Apply the shadow's percent for %1", name)}
        >
          {trans.__('Apply')}
        </Button>
      )}
    </form>
  );
}

function Canary(props: { card: Card; propose: ProposeChange }): React.JSX.Element {
  const { card, propose } = props;
  const { trans } = useServices();
  const draft = useDraft(card.role === 'canary' ? card.percent : 0);
  const name = short(card.tag);
  const words = percent(Number(draft.value));
  return (
    <form
      className="nbd-row"
      onSubmit={event => {
        event.preventDefault();
        if (draft.touched) propose('traffic', { canary: { [card.tag]: Number(draft.value) } });
      }}
    >
      <span className="nbd-label">{trans.__('Canary')}</span>
      <input
        type="range"
        min={0}
        max={100}
        step={1}
        value={draft.value}
        aria-label={trans.__('Percent of requests answered by %1 as the canary', name)}
        aria-valuetext={words}
        onChange={event => {
          draft.set(event.target.value);
        }}
      />
      <output data-touched={draft.touched}>{words}</output>
      <Button
        type="submit"
        disabled={!draft.touched}
        aria-label={trans.__("Review the canary's percent for %1", name)}
      >
        {trans.__('Review…')}
      </Button>
    </form>
  );
}
