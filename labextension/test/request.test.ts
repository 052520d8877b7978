import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';

import { type ProblemError, requestAPI } from '../src/transport/request';
import { labProblem, RestTransport } from '../src/transport/restTransport';

/** A transport whose server is `answer`; what was asked is kept in `asked`. */
function server(answer: () => Response | Promise<Response>): {
  asked: Request[];
  transport: RestTransport;
} {
  const asked: Request[] = [];
  const fetch = async (request: RequestInfo | URL): Promise<Response> => {
    asked.push(request as Request);
    return answer();
  };
  const settings = ServerConnection.makeSettings({ baseUrl: 'http://lab/user/a/', fetch });
  return { asked, transport: new RestTransport(settings) };
}

async function failure(promise: Promise<unknown>): Promise<ProblemError> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error as ProblemError
  );
}

describe('requestAPI', () => {
  it('sends requests below the base URL, without missing values', async () => {
    const { asked, transport } = server(() => Response.json([]));
    await requestAPI(transport, 'views/records', { query: { name: 'a b', role: null, limit: 3 } });
    expect(asked[0]?.url).toBe('http://lab/user/a/nbdeploy/views/records?name=a+b&limit=3');
  });

  it('sends the revision as If-Match and reads that of the answer', async () => {
    const { asked, transport } = server(() => Response.json({}, { headers: { ETag: '"7"' } }));
    const answer = await requestAPI(transport, 'traffic', {
      method: 'POST',
      body: { name: 'a' },
      revision: 6
    });
    expect(answer.revision).toBe(7);
    expect(asked[0]?.headers.get('If-Match')).toBe('"6"');
    expect(await asked[0]?.json()).toEqual({ name: 'a' });
  });

  it('throws the problem of the server, with its fields', async () => {
    const { transport } = server(() =>
      Response.json(
        {
          code: 'invalid_input',
          title: 'No',
          status: 422,
          errors: [{ loc: ['name'], msg: 'too long' }]
        },
        { status: 422, headers: { 'Content-Type': 'application/problem+json' } }
      )
    );
    const error = await failure(requestAPI(transport, 'deploy', { method: 'POST', body: {} }));
    expect(error.code).toBe('invalid_input');
    expect(error.errors).toEqual([{ loc: ['name'], msg: 'too long' }]);
    expect(error.remedy).toBe('');
  });

  it.each([
    [403, 'not_signed_in'],
    [404, 'no_server_extension'],
    [502, 'unexpected']
  ])('says what %i of another than nbdeploy means', async (status, code) => {
    const { transport } = server(() => new Response('<html>', { status }));
    expect((await failure(requestAPI(transport, 'list'))).code).toBe(code);
  });

  it('has one message for an expired log-in, whichever server refuses', async () => {
    const said = { code: 'not_signed_in', status: 403, detail: 'asked without a token' };
    const headers = { 'Content-Type': 'application/problem+json' };
    const { transport } = server(() => Response.json(said, { status: 403, headers }));
    const ours = await failure(requestAPI(transport, 'list'));
    const saving = labProblem(
      new ServerConnection.ResponseError(new Response('', { status: 403 }), 'Forbidden')
    );
    expect(ours.message).toBe('Your session on the Jupyter server has expired.');
    expect([saving.code, saving.message]).toEqual([ours.code, ours.message]);
  });

  it('reports that the server does not answer', async () => {
    const { transport } = server(() => {
      throw new TypeError('fetch failed');
    });
    const error = await failure(requestAPI(transport, 'list'));
    expect([error.code, error.status]).toEqual(['unreachable', 0]);
  });

  it('leaves an abort an abort', async () => {
    const stop = new AbortController();
    const { transport } = server(() => {
      stop.abort();
      throw new TypeError('aborted');
    });
    const error = await failure(requestAPI(transport, 'list', { signal: stop.signal }));
    expect(error.name).toBe('AbortError');
  });
});
