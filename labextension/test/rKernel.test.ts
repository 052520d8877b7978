import type { Kernel as KernelType, KernelMessage } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';

import { RKernel } from '../src/deploy/rKernel';
import type { ProblemError } from '../src/transport/request';
import type { Transport } from '../src/transport/transport';

const VIEW = { version: '0.1.0', interpreter: '/python', home: '/home', scripts: ['/lab.R'] };

/** A kernel of R that publishes one answer; what was sent to it and to the server is kept. */
function kernelOf(published: string | null, given: { status?: string; running?: boolean } = {}) {
  const code: string[] = [];
  const paths: string[] = [];
  const connection = {
    isDisposed: false,
    status: given.status ?? 'idle',
    username: 'u',
    clientId: 'c',
    supportsSubshells: false,
    info: Promise.resolve({ language_info: { name: 'R' } }),
    sendShellMessage: (message: KernelMessage.IExecuteRequestMsg) => {
      code.push(message.content.code);
      const future = {
        onIOPub: undefined as ((message: unknown) => void) | undefined,
        get done() {
          const data = { 'application/vnd.nbdeploy.v1+json': published };
          if (published !== null) this.onIOPub?.({ content: { data } });
          return Promise.resolve({ content: { status: 'ok' } });
        }
      };
      return future;
    }
  };
  const transport = {
    request: async ({ path }: { path: string }) => {
      paths.push(path);
      const body = path === 'views/r_kernel' ? VIEW : { problems: [{ field: 'name' }] };
      return Promise.resolve({
        status: 200,
        text: JSON.stringify(body),
        body: JSON.stringify(body)
      });
    }
  };
  const kernel = new RKernel(
    connection as unknown as KernelType.IKernelConnection,
    transport as unknown as Transport,
    () => given.running ?? false,
    () => '/work/cars.ipynb',
    () => [{ count: 1, source: 'fit <- lm("a")' }]
  );
  return { kernel, code, paths };
}

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'it did not fail',
    (error: unknown) => (error as ProblemError).code
  );
}

describe('RKernel', () => {
  it('has the kernel run one silent statement with the cells', async () => {
    const found = { answer: { pid: 7, notebook: null, models: [] } };
    const { kernel, code } = kernelOf(JSON.stringify(found));
    expect(await kernel.report()).toMatchObject({ pid: 7, home: '/home', language: 'R' });
    expect(code[0]).toContain('files <- c("/lab.R")');
    expect(code[0]).toContain(String.raw`\"source\":\"fit <- lm(\\\"a\\\")\"`);
  });

  it('joins the problems that the server knows with those of the kernel', async () => {
    const answer = { answer: { problems: [{ field: 'example' }], complete: true } };
    const { kernel, paths } = kernelOf(JSON.stringify(answer));
    const { problems } = await kernel.check({ model: 'fit', name: 'cars' });
    expect(problems.map(one => one.field)).toEqual(['name', 'example']);
    expect(paths).toContain('views/deploy_problems');
  });

  it.each([
    ['remote_kernel', 'null'],
    ['kernel_failed', '{"failed":"no jsonlite"}'],
    ['kernel_restarted', null]
  ])('says in words: %s', async (wanted, published) => {
    expect(await failure(kernelOf(published).kernel.preview('x'))).toBe(wanted);
  });

  it('answers while its own query makes the kernel busy, and not while a cell runs', () => {
    expect(kernelOf(null, { status: 'busy' }).kernel.canAnswer).toBe(true);
    expect(kernelOf(null, { running: true }).kernel.canAnswer).toBe(false);
  });
});
