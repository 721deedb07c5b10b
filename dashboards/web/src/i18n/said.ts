/**
 * What the server says in English, in Vietnamese: refusals, reasons of deliveries, lines of the incident log. A sentence that is
 * not in the list is shown as it came, so a new one is readable at once and translated later. `$1` is the changing part.
 */
import type { Lang } from '$/lib/format';

const SAID: [RegExp, string][] = [
  // deliveries and the incident log
  [/^this person has no channel$/, 'người này chưa có kênh báo nào'],
  [/^no person to be told has a channel$/, 'những người cần báo đều chưa có kênh báo'],
  [/^held back by storm protection$/, 'tạm giữ vì đang có quá nhiều cuộc gọi'],
  [/^nobody answered; the chain is at its end$/, 'không ai nhận; đã hết chuỗi chuyển cấp'],
  [/^nobody is on call in (.+): everyone is told$/, 'không có ai trực ở $1: báo cho mọi người'],
  [/^there is no schedule (.+): everyone is told$/, 'lịch trực $1 không còn: báo cho mọi người'],
  [/^user .+ cannot be told: everyone is told$/, 'không báo được cho người này: báo cho mọi người'],
  [/^pages$/, 'gọi người trực'],
  [/^severity_below$/, 'chưa đủ mức độ để gọi người trực'],
  [/^level_unknown$/, 'chưa biết hệ thống nào hoặc cấp độ nào'],
  [/^level_below$/, 'cấp độ của hệ thống dưới ngưỡng gọi người trực'],
  [/^rule_not_stable$/, 'luật còn thử nghiệm'],
  [/^no_evidence$/, 'chưa có bằng chứng kèm theo'],
  [/^late$/, 'sự kiện cũ, đến muộn'],
  [/^test$/, 'cảnh báo thử'],
  [/^this person has no channel to test$/, 'Tài khoản này chưa có kênh báo để thử.'],
  // limits of a question, indicators
  [/^a saved search has a name of 1 to (\d+) characters$/, 'tên câu tìm đã lưu có từ 1 đến $1 ký tự'],
  [/^a person keeps at most (\d+) searches; remove one first$/, 'mỗi người lưu được nhiều nhất $1 câu tìm; hãy xoá bớt'],
  [/^a person keeps at most (\d+) jobs; remove one first$/, 'mỗi người giữ được nhiều nhất $1 câu chạy nền; hãy bỏ bớt'],
  [/^(\d+) jobs of yours wait or run; wait for one or remove it$/, '$1 câu của bạn đang đợi hoặc đang chạy; hãy đợi hoặc bỏ một câu'],
  [/^your kept answers fill (\d+) MiB; remove one first$/, 'kết quả bạn giữ đã chiếm $1 MiB; hãy bỏ bớt'],
  [/^your rights have become less than they were when this was asked; ask again$/, 'quyền của bạn đã hẹp hơn lúc hỏi; hãy hỏi lại'],
  [/^more than (\d+) MiB$/, 'hơn $1 MiB'],
  [/^too many exports are running$/, 'đang có quá nhiều lần xuất tệp'],
  [/^the server is stopping$/, 'máy chủ đang dừng'],
  [/^the rights of this account have changed; open the tail again$/, 'quyền của tài khoản đã đổi; hãy mở lại'],
  [/^the session has ended; log in again$/, 'phiên đăng nhập đã hết; hãy đăng nhập lại'],
  [/^too many live tails are open$/, 'đang mở quá nhiều cửa sổ theo dõi trực tiếp'],
  [/^the time limit of ([\d.]+) s was reached$/, 'hết $1 giây cho phép'],
  [/^too many questions are running$/, 'đang có quá nhiều câu hỏi cùng chạy'],
  [/^try again in a moment$/, 'thử lại sau giây lát'],
  [/^there is no indicator in the text: no address, network, domain, URL, hash or mail address$/, 'trong đoạn dán không có chỉ báo nào: không có địa chỉ, dải mạng, tên miền, URL, mã băm hay thư điện tử'],
  [/^the paste is longer than (\d+) MiB$/, 'đoạn dán dài hơn $1 MB'],
  // the search language
  [/^the quotation mark is never closed$/, 'dấu ngoặc kép chưa được đóng'],
  [/^this parenthesis is never closed$/, 'dấu ngoặc này chưa được đóng'],
  [/^the parentheses are empty$/, 'trong ngoặc không có gì'],
  [/^too many parentheses inside each other$/, 'quá nhiều ngoặc lồng nhau'],
  [/^a condition is missing at the end$/, 'thiếu một điều kiện ở cuối'],
  [/^a condition is missing before this; to search the word itself, put it in quotation marks$/, 'thiếu một điều kiện ở trước; muốn tìm chính từ này thì đặt trong dấu ngoặc kép'],
  [/^something is missing before this$/, 'thiếu một phần ở trước chỗ này'],
  [/^a word is missing here$/, 'thiếu một từ ở đây'],
  [/^a value for (\S+) is missing$/, 'thiếu giá trị cho $1'],
  [/^a search has at most (\d+) conditions$/, 'một câu tìm có nhiều nhất $1 điều kiện'],
  [/^the search is longer than (\d+) KiB$/, 'câu tìm dài hơn $1 KiB'],
  [/^a word of a text may end in \*, not hold it elsewhere$/, 'dấu * chỉ được đứng ở cuối từ'],
  [/^inside a field's parentheses values are joined by or$/, 'trong ngoặc của một trường, các giá trị nối với nhau bằng or'],
  [/^(\S+) holds no text, \* is not possible here$/, '$1 không phải văn bản nên không dùng * được'],
  [/^(\S+) is a text; use (.+)$/, '$1 là văn bản; hãy viết $2'],
  [/^(\S+) needs a whole number, not (.+)$/, '$1 cần một số nguyên, không phải $2'],
  [/^(\S+) needs (.+), not (.+)$/, '$1 cần $2, không phải $3'],
  [/^unknown field (\S+); (.+)$/, 'không có trường $1; $2'],
  [/^live events are shown as they come, without commands after \|$/, 'Xem trực tiếp hiện sự kiện ngay khi đến, không dùng lệnh sau dấu |. Hãy bỏ phần từ dấu | trở đi.'],
  // accounts, duty, channels
  [/^there is already an account named (.+)$/, 'Đã có tài khoản tên $1.'],
  [/^an account name has 1 to 64 characters$/, 'Tên đăng nhập có từ 1 đến 64 ký tự.'],
  [/^an account name cannot contain (.+)$/, 'Tên đăng nhập không được chứa $1.'],
  [/^a password has (\d+) to (\d+) characters, this one has (\d+)$/, 'Mật khẩu có từ $1 đến $2 ký tự, mật khẩu này có $3.'],
  [/^the last administrator cannot be disabled or lose the role$/, 'Không thể khoá hay đổi vai trò của quản trị viên cuối cùng.'],
  [/^there is no system "(.+)" in the register$/, 'Không có hệ thống $1 trong sổ.'],
  [/^there is no account "(.+)"$/, 'Không có tài khoản $1.'],
  [/^"(.+)": this account is closed, only reads, or does not see the system of the incident$/, '$1: tài khoản đã khoá, chỉ được đọc, hoặc không thấy hệ thống của sự cố.'],
  [/^schedule "(.+)": a schedule needs at least one member$/, 'Lịch $1 cần ít nhất một thành viên.'],
  [/^schedule "(.+)": an override ends after it starts$/, 'Lịch $1: ca đổi phải kết thúc sau lúc bắt đầu.'],
  [/^somebody else has changed the on-call plan meanwhile; nothing was saved$/, 'Người khác vừa đổi lịch trực; chưa lưu gì. Đóng lại để xem bản mới rồi sửa.'],
  [/^two schedules are named "(.+)"$/, 'Hai lịch trực cùng tên $1.'],
  [/^escalation, step (\d+): there is no schedule (.+)$/, 'Chuyển cấp, bước $1: lịch trực này không còn.'],
  [/^escalation, step (\d+): "(.+)" cannot handle incidents.*$/, 'Chuyển cấp, bước $1: $2 không xử lý được sự cố (đã khoá hoặc chỉ được đọc).'],
  [/^the set-up token is wrong, used or expired$/, 'Mã một lần không đúng, đã dùng hoặc đã hết hạn.'],
  [/^the set-up is done: an administrator exists$/, 'Máy chủ này đã được cài đặt.'],
  [/^this server does not listen for syslog$/, 'Máy chủ này chưa mở cổng nhận syslog.'],
  [/^your role may search, not write SQL$/, 'Vai trò này được tìm kiếm, không được viết SQL.'],
];

/** The sentence in the language of the page. */
export function say(text: string, lang: Lang): string {
  if (lang !== 'vi') return text;
  for (const [pattern, vietnamese] of SAID) if (pattern.test(text)) return text.replace(pattern, vietnamese);
  return text;
}
