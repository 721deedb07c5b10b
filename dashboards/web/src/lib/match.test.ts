import { expect, it } from 'vitest';

import { match } from './match';

it('reads parameters and ignores a closing slash', () => {
  expect(match('/systems/:id', '/systems/dvc')).toEqual({ id: 'dvc' });
  expect(match('/systems/:id', '/systems/m%E1%BB%99t%2Fhai/')).toEqual({ id: 'một/hai' });
  expect(match('/', '/')).toEqual({});
});

it('refuses other lengths, other words and broken escapes', () => {
  expect(match('/systems', '/systems/dvc')).toBeNull();
  expect(match('/hunt', '/rules')).toBeNull();
  expect(match('/systems/:id', '/systems/%E0%A4%A')).toBeNull();
});
