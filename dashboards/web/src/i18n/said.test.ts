import { expect, it } from 'vitest';

import { say } from './said';

it('says known sentences in Vietnamese, with their changing part', () => {
  expect(say('a condition is missing at the end', 'vi')).toBe('thiếu một điều kiện ở cuối');
  expect(say('source.port needs a whole number, not "ssh"', 'vi')).toBe('source.port cần một số nguyên, không phải "ssh"');
  expect(say('there is already an account named lan', 'vi')).toBe('Đã có tài khoản tên lan.');
  expect(say('escalation, step 2: there is no schedule "7"', 'vi')).toBe('Chuyển cấp, bước 2: lịch trực này không còn.');
});

it('leaves English and unknown sentences alone', () => {
  expect(say('pages', 'en')).toBe('pages');
  expect(say('connect timed out after 5 s', 'vi')).toBe('connect timed out after 5 s');
});

it('does not take a text that only begins like a known one', () => {
  expect(say('pages were torn', 'vi')).toBe('pages were torn');
});
