//! The hot functions of the core crate without Python: what of a call's time is the algorithm.
//!
//!     make bench-core

use std::ffi::CString;
use std::hint::black_box;
use std::os::unix::ffi::OsStrExt as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sky_rs_core::{base36, cgroup, cpu, directory, file, float_format, floors, memory, port, process, tail, truncate};

fn path(path: &std::path::Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL")
}

fn text(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("base36_encode");
    let sha256 = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (what, digits) in [("md5", &b"d41d8cd98f00b204e9800998ecf8427e"[..]), ("sha256", &sha256[..])] {
        group.bench_function(what, |bench| bench.iter(|| base36::encode(black_box(digits), |text| Ok(text.len()))));
    }
    group.finish();

    let mut group = criterion.benchmark_group("format_float");
    for (what, number) in [("1.0", 1.0), ("12.3456", 12.3456), ("1e300", 1e300)] {
        group.bench_function(what, |bench| {
            bench.iter(|| float_format::format(black_box(number), black_box(1), |text| Ok(text.len())));
        });
    }
    group.bench_function("integer", |bench| {
        bench.iter(|| float_format::format_integer(black_box(1234), |text| Ok(text.len())));
    });
    group.finish();

    let mut group = criterion.benchmark_group("truncate_long_string");
    let long = "word ".repeat(140);
    group.bench_function("end", |bench| bench.iter(|| truncate::end(black_box(long.as_bytes()), black_box(35))));
    group.bench_function("middle", |bench| bench.iter(|| truncate::middle(black_box(long.len()), black_box(35))));
    group.finish();
}

fn files(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a directory");
    let log = folder.path().join("log");
    std::fs::write(&log, format!("{}\n", "x".repeat(329)).repeat(100_000)).expect("a file");
    let log = path(&log);
    let mut group = criterion.benchmark_group("read_last_n_lines");
    for lines in [10, 1000, 100_000_u64] {
        group.throughput(Throughput::Bytes(lines * 330));
        group.bench_function(lines.to_string(), |bench| {
            bench.iter(|| {
                let file = file::open_regular(&log)?;
                let mut bytes = 0;
                tail::last_lines(
                    file.size,
                    lines,
                    |buffer, offset| file::read_exact_at(&file.fd, buffer, offset),
                    |line| {
                        bytes += line.len();
                        Ok(())
                    },
                )?;
                Ok::<_, sky_rs_core::Decline>(bytes)
            });
        });
        group.bench_function(format!("{lines}, limit"), |bench| bench.iter(|| floors::read_end(&log, lines * 330)));
    }
    group.finish();

    let mut group = criterion.benchmark_group("directory of 1,000");
    let mount = folder.path().join("mount");
    std::fs::create_dir(&mount).expect("a directory");
    for number in 0..1000 {
        std::fs::write(mount.join(format!("file-{number:04}")), "").expect("a file");
    }
    let mount = path(&mount);
    group.bench_function("entries", |bench| bench.iter(|| directory::entries(&mount)));
    group.bench_function("limit", |bench| bench.iter(|| floors::list(&mount)));
    group.finish();
}

fn system(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("processors");
    group.bench_function("affinity", |bench| bench.iter(cpu::affinity));
    group.bench_function("cgroup", |bench| bench.iter(cgroup::cpu_limit));
    group.bench_function("limit", |bench| bench.iter(floors::processors));
    group.finish();

    let mut group = criterion.benchmark_group("memory");
    group.bench_function("total", |bench| bench.iter(memory::total));
    group.bench_function("cgroup", |bench| bench.iter(cgroup::memory_limit));
    group.bench_function("limit", |bench| bench.iter(floors::memory));
    group.finish();

    let mut group = criterion.benchmark_group("is_process_alive");
    group.bench_function("one", |bench| bench.iter(|| process::is_alive(black_box(1))));
    group.bench_function("none", |bench| bench.iter(|| process::is_alive(black_box(u32::MAX))));
    group.bench_function("limit", |bench| bench.iter(|| floors::open_close(c"/proc/1/stat")));
    group.finish();

    let mut group = criterion.benchmark_group("find_free_port");
    group.bench_function("free", |bench| bench.iter(|| port::first_free(black_box(30001), |_| Ok(()))));
    group.bench_function("limit", |bench| bench.iter(|| floors::bind_port(30001)));
    group.finish();
}

criterion_group!(benches, text, files, system);
criterion_main!(benches);
