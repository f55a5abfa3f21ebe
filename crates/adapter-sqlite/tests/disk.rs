//! A disk that fails during writes: a child process with a file size limit, and the limit's signal
//! ignored, so that the system refuses the writes themselves.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::{
    io::{BufRead, BufReader, Write, stdin, stdout},
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    sql_query, sql_types::BigInt,
};
use libtest_mimic::{Arguments, Failed, Trial};
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_conformance::keys;
use oncharge_domain::{audit::AuditAction, merchant::Merchant, session::Session};
use oncharge_ports::{
    CheckoutRepository, CommitError, Inbox, MerchantRepository, StoreError, UnitOfWork,
    psp::PreparedRequest,
};
use oncharge_testkit::{Builder, FakeClock, SeededEntropy};

/// The first argument of the writing process.
const WRITE: &str = "write-until-the-disk-fails";

/// In blocks of the shell, 512 or 1024 bytes: the limit is one or two megabytes. A commit larger
/// than the rest of the second megabyte fits into SQLite's cache, so it fails in `COMMIT`.
const LIMIT: &str = "trap '' XFSZ; ulimit -S -f 2048; exec \"$0\" \"$1\" \"$2\"";
const TOO_LARGE: usize = 1_900_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == WRITE) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(write(Path::new(&arguments[2])));
        return ExitCode::SUCCESS;
    }
    let law = "a_failing_disk_loses_no_committed_unit";
    let trials = vec![Trial::test(law, a_failing_disk_loses_no_committed_unit)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn a_failing_disk_loses_no_committed_unit() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("oncharge.db");
    let mut writer = Command::new("sh")
        .args(["-c", LIMIT])
        .arg(std::env::current_exe()?)
        .arg(WRITE)
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(writer.stdout.take().unwrap()).lines();
    let full = output
        .next()
        .ok_or("the writer ended before the disk was full")??;
    // Makes room: this process, which has no limit, moves the log into the file.
    let mut tool = SqliteConnection::establish(path.to_str().unwrap())?;
    tool.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA wal_checkpoint(TRUNCATE)")?;
    writer.stdin.take().unwrap().write_all(b"go on\n")?;
    let done = output.next().ok_or("the writer did not continue")??;
    assert!(writer.wait()?.success());
    let (full, done): (i64, i64) = (full.parse()?, done.parse()?);
    assert!(0 < full && full < done, "{full} {done}");
    let mut count = |query| -> Result<i64, Failed> {
        let row: Count = sql_query(query).get_result(&mut tool)?;
        Ok(row.count)
    };
    assert_eq!(count("SELECT count(*) AS count FROM sessions")?, done);
    assert_eq!(count("SELECT count(*) AS count FROM operations")?, done);
    assert_eq!(count("SELECT count(*) AS count FROM psp_notifications")?, 1);
    let broken = "SELECT count(*) AS count FROM pragma_integrity_check() \
         WHERE integrity_check <> 'ok'";
    assert_eq!(count(broken)?, 0);
    Ok(())
}

/// A new session and an intent of this many bytes.
fn unit(build: &Builder, merchant: &Merchant, bytes: usize) -> UnitOfWork {
    let session = Session::create(build.new_session(merchant));
    let mut intent = build.intent(build.attempt(&session, "tok"));
    intent.request = PreparedRequest::new(vec![7; bytes]);
    let mut unit = build.unit(session);
    unit.operations = vec![intent];
    unit
}

fn print_number(number: usize) {
    let mut out = stdout();
    writeln!(out, "{number}").unwrap();
    out.flush().unwrap();
}

async fn assert_not_stored(store: &SqliteStore, unit: &UnitOfWork) {
    assert!(!store.is_committed(unit).await.unwrap());
    assert_eq!(store.session(unit.session.id).await.unwrap(), None);
    let operation = unit.operations[0].operation.id;
    assert_eq!(store.operation(operation).await.unwrap(), None);
}

/// The process under the limit: reports the number of committed units when the disk fails, waits
/// for space, continues with the same store, and reports the number again.
async fn write(path: &Path) {
    let store = SqliteStore::open(
        path,
        keys(),
        Arc::new(SeededEntropy::new(1)),
        Arc::new(FakeClock::new()),
    )
    .unwrap();
    let build = Builder::new(7);
    let merchant = build.merchant();
    let (key, hash) = build.api_key(&merchant);
    let audit = build.audit(AuditAction::MerchantCreated);
    store.create(&merchant, &key, &hash, &audit).await.unwrap();

    // There is space to overwrite the remains of the failed commit, which is then certainly not
    // committed.
    let large = unit(&build, &merchant, TOO_LARGE);
    let failed = store.commit(large.clone()).await;
    assert!(
        matches!(failed, Err(CommitError::Store(StoreError::Unavailable(_)))),
        "{failed:?}"
    );
    assert_not_stored(&store, &large).await;

    let mut committed = Vec::new();
    let refused = loop {
        let unit = unit(&build, &merchant, 20_000);
        match store.commit(unit.clone()).await {
            Ok(()) => committed.push(unit),
            Err(CommitError::Store(StoreError::Unavailable(_)) | CommitError::OutcomeUnknown) => {
                break unit;
            }
            Err(error) => unreachable!("{error:?}"),
        }
    };
    let mut notification = build.notification("big");
    notification.body = vec![7; 200_000];
    for _ in 0..9 {
        store.commit(refused.clone()).await.unwrap_err();
        assert_not_stored(&store, &refused).await;
        store.receive(&notification).await.unwrap_err();
        assert_eq!(store.notification(notification.id).await.unwrap(), None);
    }
    for unit in &committed {
        assert!(store.is_committed(unit).await.unwrap());
    }
    print_number(committed.len());
    stdin().lock().read_line(&mut String::new()).unwrap();
    store.commit(refused.clone()).await.unwrap();
    assert!(store.is_committed(&refused).await.unwrap());
    assert!(store.receive(&notification).await.unwrap());
    print_number(committed.len() + 1);
}
