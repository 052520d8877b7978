/**
 * One request: its input, and each release's answer, in columns. All of it is data: text, never
 * HTML.
 */
import * as React from 'react';

import type { Answered, RecordRow, RecordView, ResultPageView } from '../../generated';
import { problemOf, problemOfJob } from '../../transport/problem';
import { clock, milliseconds, short } from '../../words';
import { useLoaded } from '../ui/hooks';
import { Button, Copy, LoadFailure, Waiting } from '../ui/parts';
import { ResultPage } from '../ui/resultPage';
import { useServices } from '../ui/services';

export function RecordDetail(props: {
  name: string;
  row: RecordRow;
  onClose: () => void;
}): React.JSX.Element {
  const { name, row, onClose } = props;
  const { trans, view } = useServices();
  const loaded = useLoaded<RecordView>(`${name} ${row.key}`, async signal =>
    view('record', { name, key: row.key }, signal)
  );
  const head = React.useRef<HTMLHeadingElement>(null);
  React.useEffect(() => {
    head.current?.focus();
  }, []);
  const shown = loaded.value;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape closes it, wherever the focus is
    <section
      className="nbd-RecordDetail"
      aria-label={trans.__('Record %1', row.request_id)}
      onKeyDown={event => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <div className="nbd-row nbd-RecordDetail-top">
        <Button look="quiet" onClick={onClose} aria-label={trans.__('Back to the records')}>
          ‹ {trans.__('Records')}
        </Button>
        <h3 ref={head} tabIndex={-1} className="nbd-cut" title={row.request_id}>
          {clock(row.ts)}
        </h3>
      </div>
      {loaded.error !== null && <LoadFailure loaded={loaded} />}
      {!shown && loaded.error === null && <Waiting words={trans.__('Loading the record …')} />}
      {shown && <Opened shown={shown} />}
      {shown?.input && <Explanation name={name} recordKey={row.key} rows={shown.rows} />}
    </section>
  );
}

function Opened(props: { shown: RecordView }): React.JSX.Element {
  const { shown } = props;
  const { trans, insertCell, copy, say } = useServices();
  const [inserted, setInserted] = React.useState('');
  const insert = async (): Promise<void> => {
    const done = insertCell(shown.cell);
    const words = done
      ? trans.__('A cell that loads the record was inserted below the active one.')
      : (await copy(shown.cell))
        ? trans.__('No notebook is open: the cell that loads the record is on the clipboard.')
        : trans.__('No notebook is open. Open a notebook, then copy the cell again.');
    setInserted(words);
    say(words);
  };
  return (
    <>
      <p className="nbd-faint">
        {trans.__('request %1', shown.request_id)} · {trans._n('%1 row', '%1 rows', shown.rows)}
      </p>
      <div className="nbd-row">
        {shown.cell && <Button onClick={() => void insert()}>{trans.__('Copy as cell')}</Button>}
        <span className="nbd-faint">{inserted}</span>
      </div>
      {shown.note && <p className="nbd-faint">{shown.note}</p>}
      <Data title={trans.__('Input')} text={shown.input} cut={shown.cut} />
      <div className="nbd-Answers">
        {shown.answers.map((answer, i) => (
          <Answer
            key={i}
            answer={answer}
            other={i > 0 && answer.output !== shown.answers[0]?.output}
          />
        ))}
      </div>
    </>
  );
}

/** Which features led to the answer, by stable and its candidates; a job of some seconds. */
function Explanation(props: { name: string; recordKey: string; rows: number }): React.JSX.Element {
  const { name, recordKey, rows } = props;
  const { trans, job, view, renderer } = useServices();
  const [row, setRow] = React.useState(0);
  const [working, setWorking] = React.useState(false);
  const [words, setWords] = React.useState('');
  const [page, setPage] = React.useState<ResultPageView | null>(null);
  const explain = async (): Promise<void> => {
    setWorking(true);
    setPage(null);
    setWords(trans.__('The models answer variations of this row …'));
    try {
      const ended = await job('explain', { name, key: recordKey, row });
      if (ended.state === 'done') {
        setPage(await view<ResultPageView>('result_page', { job: ended.id }));
        setWords('');
      } else {
        const { message, remedy } = problemOfJob(ended);
        setWords([message, remedy].filter(Boolean).join('; '));
      }
    } catch (error) {
      const { message, remedy } = problemOf(error);
      setWords([message, remedy].filter(Boolean).join('; '));
    } finally {
      setWorking(false);
    }
  };
  return (
    <section className="nbd-Explanation" aria-label={trans.__('Explanation')}>
      <div className="nbd-row nbd-mod-wrap">
        <Button
          title={trans.__('The contribution of each feature, by stable and its candidates')}
          aria-disabled={working}
          onClick={() => {
            if (!working) void explain();
          }}
        >
          {trans.__('Explain this answer')}
        </Button>
        {rows > 1 && (
          <label className="nbd-row">
            {trans.__('row')}
            <input
              type="number"
              min={0}
              max={rows - 1}
              value={row}
              onChange={event => {
                setRow(Math.min(Math.max(Number(event.target.value) || 0, 0), rows - 1));
              }}
            />
          </label>
        )}
      </div>
      <p role="status" className="nbd-faint nbd-breaks">
        {words}
      </p>
      {page && <ResultPage page={page} renderer={renderer} />}
    </section>
  );
}

function Answer(props: { answer: Answered; other: boolean }): React.JSX.Element {
  const { answer, other } = props;
  const { trans } = useServices();
  return (
    <section className="nbd-Answer" data-role={answer.role}>
      <h4>
        <span className="nbd-Role" data-role={answer.role}>
          {answer.role}
        </span>
        <span title={answer.release}>{short(answer.release)}</span>
        <span className="nbd-faint">
          {answer.status} · {milliseconds(answer.latency_ms)}
        </span>
        {other && <span className="nbd-flip">{trans.__('differs')}</span>}
      </h4>
      {answer.error && <pre className="nbd-Data nbd-mod-bad">{answer.error}</pre>}
      {(answer.output || !answer.error) && (
        <Data title={trans.__('Output')} text={answer.output} cut={answer.cut} />
      )}
    </section>
  );
}

function Data(props: { title: string; text: string; cut: boolean }): React.JSX.Element {
  const { title, text, cut } = props;
  const { trans } = useServices();
  if (!text) return <p className="nbd-faint">{trans.__('%1: not recorded', title)}</p>;
  return (
    <div className="nbd-Data-box">
      <div className="nbd-row">
        <h4>{title}</h4>
        <Copy text={text} label={trans.__('Copy: %1', title)} />
      </div>
      {/* A long text scrolls, by the keyboard too. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className="nbd-Data" tabIndex={0} aria-label={title}>
        {text}
      </pre>
      {cut && (
        <p className="nbd-faint">{trans.__('Truncated: "Copy as cell" loads the whole value.')}</p>
      )}
    </div>
  );
}
