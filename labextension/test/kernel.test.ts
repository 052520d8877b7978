import type { Kernel as KernelType, KernelMessage } from '@jupyterlab/services';
import { describe, expect, it, vi } from 'vitest';

import { PythonKernel } from '../src/deploy/kernel';
import { VERSION } from '../src/generated';
import type { ProblemError } from '../src/transport/request';

interface Given {
  status?: string;
  language?: string;
  subshells?: boolean;
  answer?: object;
  reply?: object;
  /** How often a cell before it raises, so that it is dropped. */
  dropped?: number;
  reportCaptureFailure?: boolean;
}

/** A connection whose kernel answers the one user expression; what was sent is kept. */
function connection(given: Given): {
  kernel: PythonKernel;
  sent: KernelMessage.IExecuteRequestMsg[];
  deleted: string[];
} {
  const sent: KernelMessage.IExecuteRequestMsg[] = [];
  const deleted: string[] = [];
  const kernel = {
    isDisposed: false,
    status: given.status ?? 'idle',
    username: 'u',
    clientId: 'c',
    supportsSubshells: given.subshells ?? true,
    info: Promise.resolve({ language_info: { name: given.language ?? 'python' } }),
    requestCreateSubshell: () => ({ done: Promise.resolve({ content: { subshell_id: 's1' } }) }),
    requestDeleteSubshell: ({ subshell_id }: { subshell_id: string }) => {
      deleted.push(subshell_id);
      return { done: Promise.resolve() };
    },
    sendShellMessage: (message: KernelMessage.IExecuteRequestMsg) => {
      sent.push(message);
      const dropped = sent.length <= (given.dropped ?? 0);
      const content = dropped
        ? { status: 'aborted' }
        : (given.reply ?? {
            status: 'ok',
            user_expressions: { answer: given.answer }
          });
      return {
        done: given.reportCaptureFailure
          ? Promise.reject(new Error('Canceled future'))
          : Promise.resolve({ content })
      };
    }
  };
  return {
    kernel: new PythonKernel(kernel as unknown as KernelType.IKernelConnection),
    sent,
    deleted
  };
}

function told(document: object): object {
  return { status: 'ok', data: { 'application/json': document } };
}

function raised(ename: string, evalue: string): object {
  return { status: 'error', ename, evalue };
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'it did not fail',
    (error: unknown) => (error as ProblemError).code
  );
}

const FOUND = { version: VERSION, models: [] };

describe('Kernel', () => {
  it('asks again when a cell before it raised', async () => {
    const { kernel, sent } = connection({ dropped: 2, answer: told({ state: 'queued' }) });
    await kernel.capture({ id: '1', request: {} });
    expect(sent).toHaveLength(3);
  });

  it('asks by a user expression that is no cell and shows nothing', async () => {
    const { kernel, sent } = connection({ answer: told(FOUND) });
    expect(await kernel.report()).toEqual(FOUND);
    expect(sent[0]?.content).toMatchObject({ code: '', silent: true, store_history: false });
    expect(sent[0]?.content.user_expressions?.answer).toMatch(/lab_bridge.*\.found\(\)$/);
    expect(sent[0]?.header.subshell_id).toBeNull();
  });

  it('hands texts over as Python reads them', async () => {
    const { kernel, sent } = connection({ answer: told({ columns: [] }) });
    await kernel.preview('X["a\\n\'"] # é\u{1F600}\ud800');
    const written = sent[0]?.content.user_expressions?.answer as string;
    expect(written.replace(/^.*\.preview/s, '')).toBe('("X[\\"a\\\\n\'\\"] # é\u{1F600}\ufffd")');
  });

  it('sends the present path of the notebook', async () => {
    const { kernel, sent } = connection({ answer: told({ job: 'j' }) });
    await kernel.capture({ id: 'j', request: {} }, '/work/new name.ipynb');
    await kernel.capture({ id: 'j', request: {} }, null);
    const written = sent.map(one => one.content.user_expressions?.answer as string);
    expect(written.map(one => one.replace(/^.*\.capture/s, ''))).toEqual([
      '("j", "/work/new name.ipynb")',
      '("j")'
    ]);
  });

  it('reports the kernel once it has the message, and not if it cannot get it', async () => {
    const { kernel, sent } = connection({ answer: told({ job: 'j' }) });
    const asked = vi.fn(() => sent.length);
    await kernel.capture({ id: 'j', request: {} }, null, asked);
    expect(asked).toHaveReturnedWith(1);
    const away = connection({ status: 'dead' });
    expect(await code(away.kernel.capture({ id: 'j', request: {} }, null, asked))).toBe(
      'kernel_dead'
    );
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('looks by a subshell of its own while a cell runs, and leaves none behind', async () => {
    const { kernel, sent, deleted } = connection({ status: 'busy', answer: told(FOUND) });
    await kernel.report();
    expect(sent[0]?.header.subshell_id).toBe('s1');
    expect(deleted).toEqual(['s1']);
  });

  it('waits for the cell where the kernel has no subshells, and to capture in any case', async () => {
    const old = connection({ status: 'busy', subshells: false, answer: told(FOUND) });
    await old.kernel.report();
    expect(old.sent[0]?.header.subshell_id).toBeNull();
    const busy = connection({ status: 'busy', answer: told({ job: 'j' }) });
    await busy.kernel.capture({ id: 'j', request: {} });
    expect(busy.sent[0]?.header.subshell_id).toBeNull();
  });

  it.each<[string, Given]>([
    ['kernel_dead', { status: 'dead' }],
    ['other_language', { language: 'R' }],
    ['kernel_restarted', { reportCaptureFailure: true }],
    ['kernel_restarted', { reply: { status: 'aborted' } }],
    ['no_nbdeploy', { answer: raised('ModuleNotFoundError', "No module named 'jupyter_deploy'") }],
    [
      'other_version',
      {
        answer: raised(
          'ModuleNotFoundError',
          "No module named 'jupyter_deploy.faces.kernel.lab_bridge'"
        )
      }
    ],
    ['other_version', { answer: told({ ...FOUND, version: '0.0.1' }) }],
    ['kernel_failed', { answer: raised('RecursionError', 'too deep') }]
  ])('says in words: %s', async (wanted, given) => {
    expect(await code(connection(given).kernel.report())).toBe(wanted);
  });

  it('reports that there is no kernel', async () => {
    expect(await code(new PythonKernel(null).report())).toBe('no_kernel');
  });

  it('names the command that installs a missing nbdeploy', async () => {
    const answer = raised('ModuleNotFoundError', "No module named 'jupyter_deploy'");
    const error: unknown = await connection({ answer })
      .kernel.report()
      .catch((one: unknown) => one);
    expect((error as ProblemError).remedy).toContain(`%pip install nbdeploy==${VERSION}`);
  });
});
