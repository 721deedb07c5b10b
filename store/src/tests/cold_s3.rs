//! The cold path over S3's own protocol: a tiny server in this process that knows just the requests `object_store` makes.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use event::Micros;

use super::{cold::*, support::*};
use crate::{ColdOptions, Disk, Options, Store, locked};

const DAY: Micros = 86_400_000_000;

#[derive(Default)]
struct Bucket {
    objects: HashMap<String, Vec<u8>>,
    uploads: HashMap<String, Vec<(u32, Vec<u8>)>>,
    requests: Vec<String>,
}

/// Serves until the test ends; returns the address.
fn serve(bucket: Arc<Mutex<Bucket>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let bucket = Arc::clone(&bucket);
            std::thread::spawn(move || answer_all(stream, &bucket));
        }
    });
    address
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

fn answer_all(stream: TcpStream, bucket: &Mutex<Bucket>) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let (status, headers, body) = answer(&request, &mut locked(bucket));
        let length = headers.iter().any(|(name, _)| *name == "Content-Length");
        let mut head = format!("HTTP/1.1 {status} x\r\n");
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        if !length {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        if out.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| out.write_all(&body)).is_err() {
            return;
        }
    }
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn answer(request: &Request, bucket: &mut Bucket) -> Answer {
    bucket.requests.push(format!("{} {}", request.method, request.query.split('=').next().unwrap_or_default()));
    let signed = request.headers.get("authorization").is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 Credential=chieng/"));
    if !signed {
        return (403, vec![], b"<Error><Code>AccessDenied</Code></Error>".to_vec());
    }
    let key = request.path.trim_start_matches("/logs/").to_owned();
    let date = ("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT".to_owned());
    let etag = ("ETag", "\"e\"".to_owned());
    let upload = request.query.split('&').find_map(|pair| pair.strip_prefix("uploadId=")).map(str::to_owned);
    match (request.method.as_str(), upload) {
        ("POST", None) if request.query.starts_with("uploads") => {
            let id = bucket.uploads.len().to_string();
            bucket.uploads.insert(id.clone(), Vec::new());
            let text = format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
            (200, vec![], text.into_bytes())
        }
        ("POST", None) if request.query.starts_with("delete") => {
            let text = String::from_utf8(request.body.clone()).unwrap();
            let gone: Vec<&str> = text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect();
            let mut said = String::from("<DeleteResult>");
            for key in gone {
                bucket.objects.remove(key);
                said.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
            }
            (200, vec![], format!("{said}</DeleteResult>").into_bytes())
        }
        ("PUT", Some(id)) => {
            let number = request.query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")).unwrap().parse().unwrap();
            bucket.uploads.get_mut(&id).unwrap().push((number, request.body.clone()));
            (200, vec![etag], vec![])
        }
        ("POST", Some(id)) => {
            let mut parts = bucket.uploads.remove(&id).unwrap();
            parts.sort_by_key(|(number, _)| *number);
            bucket.objects.insert(key, parts.into_iter().flat_map(|(_, bytes)| bytes).collect());
            (200, vec![], b"<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>".to_vec())
        }
        ("HEAD" | "GET", _) => match bucket.objects.get(&key) {
            None => (404, vec![], b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
            Some(object) if request.method == "HEAD" => {
                (200, vec![date, etag, ("Content-Length", object.len().to_string())], vec![])
            }
            Some(object) => {
                let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")).unwrap();
                let (from, to) = range.split_once('-').unwrap();
                let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
                let content = ("Content-Range", format!("bytes {from}-{to}/{}", object.len()));
                (206, vec![date, etag, content], object[from..=to].to_vec())
            }
        },
        _ => (400, vec![], vec![]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_lives_in_a_bucket_from_the_move_to_its_tombstone() {
    let bucket: Arc<Mutex<Bucket>> = Arc::default();
    let endpoint = format!("http://{}", serve(Arc::clone(&bucket)));
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options_of_store = vec![
        option("endpoint", &endpoint),
        option("allow_http", "true"),
        option("region", "vn"),
        option("access_key_id", "chieng"),
        option("secret_access_key", "secret"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let cold =
        ColdOptions { url: "s3://logs/siem/".into(), after: 10 * DAY, bytes_per_second_max: u64::MAX, options: options_of_store };
    let clock = TestClock::new();
    let with_cold = Options { cold: Some(cold), ..options(dir.path()) };
    let store = Store::open(with_cold, Arc::clone(&clock) as _, Arc::new(Disk)).await.unwrap();
    fill(&store, 0, 2_000).await;
    clock.set(START + 11 * DAY);
    store.move_cold_once().await.unwrap().unwrap();
    let keys: Vec<String> = locked(&bucket).objects.keys().cloned().collect();
    assert!(keys.len() == 1 && keys[0].starts_with("siem/2026-"), "{keys:?}");
    let path = store.snapshot().segments[0].path.clone();
    super::durability::wait_for(|| !path.exists()).await;
    locked(&bucket).requests.clear();
    assert_eq!(read_numbers(store.snapshot()).await, (0..2_000).collect::<Vec<_>>());
    let requests = locked(&bucket).requests.len();
    assert!((1..=3).contains(&requests), "a small file is one block: {requests} requests");

    // The bucket is away: the question fails, with the name of what it wanted.
    let object = locked(&bucket).objects.drain().next().unwrap();
    store.close().await.unwrap();
    let segment = store.snapshot().segments[0].clone();
    let reopened = {
        let (clock, options) = (TestClock::new(), store.options().clone());
        drop((store, segment));
        clock.set(START + 40 * DAY);
        Store::open(options, clock as _, Arc::new(Disk)).await.unwrap()
    };
    let far = reopened.snapshot().segments[0].clone();
    let failed = tokio::task::spawn_blocking(move || {
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(far.open().unwrap())
            .err()
            .map(|error| error.to_string())
    });
    assert!(failed.await.unwrap().is_some_and(|error| error.contains("siem/2026-")));
    locked(&bucket).objects.insert(object.0, object.1);

    assert_eq!(reopened.apply_retention(&Twenty, START + 40 * DAY).await.unwrap().len(), 1);
    assert_eq!(reopened.move_cold_once().await.unwrap(), None);
    assert!(locked(&bucket).objects.is_empty(), "what is deleted is deleted there too");
}
