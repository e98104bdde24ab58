package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
	"time"
)

// bindir finds the newest PostgreSQL server of this machine.
func bindir() (string, error) {
	var found []string
	for _, g := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/usr/local/pgsql/bin/postgres"} {
		m, _ := filepath.Glob(g)
		found = append(found, m...)
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		found = append(found, p)
	}
	sort.Strings(found)
	for i := len(found) - 1; i >= 0; i-- {
		dir := filepath.Dir(found[i])
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("neither KITHLINE_TEST_DATABASE_URL nor a PostgreSQL server found on this machine")
}

// start runs a server of this test process on a Unix socket in a folder of its own. It ends with the process, whatever
// ends that: the kernel sends it a signal, and a shell that waits for it removes the folder. durable: see options.
func start(durable bool) (string, error) {
	bin, root, attr, err := install()
	if err != nil {
		return "", err
	}
	return launch(bin, root, attr, durable)
}

// install makes the files of a server: bin has its programs, root is the folder, attr says as whom it runs.
func install() (bin, root string, attr *syscall.SysProcAttr, err error) {
	if bin, err = bindir(); err != nil {
		return "", "", nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if root, err = os.MkdirTemp("", "kl-pg"); err != nil { // short: the path of a socket ends at 107 bytes
		return "", "", nil, err
	}
	attr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			if u, err = user.Lookup("nobody"); err != nil {
				return "", "", nil, err
			}
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(root, uid, gid); err != nil {
			return "", "", nil, err
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", filepath.Join(root, "d"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = attr, root
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", "", nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(root))
	}
	return bin, root, attr, nil
}

// launch starts the server of a folder and returns its address once it answers.
func launch(bin, root string, attr *syscall.SysProcAttr, durable bool) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// The shell reads from a pipe that this process holds open: at its end, however it comes, read returns.
	script := `"$0" "$@" >"$ROOT/log" 2>&1 </dev/null & p=$!; read -r _; kill -QUIT $p; wait $p; rm -rf "$ROOT"`
	args := []string{"-c", script, filepath.Join(bin, "postgres"), "-D", filepath.Join(root, "d"), "-k", root}
	args = append(args, options(durable)...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = append(os.Environ(), "ROOT="+root)
	cmd.SysProcAttr, cmd.Dir = attr, root
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	held = append(held, pipe)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	dsn := "postgres://postgres@/postgres?host=" + url.QueryEscape(root)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	for {
		if err = db.PingContext(ctx); err == nil {
			return dsn, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the PostgreSQL server does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// held keeps the pipe open for as long as this process lives.
var held []io.Closer

// options of the throw-away server. Durability is off where it is not asked for: kill tests and benchmarks need what
// production has.
func options(durable bool) []string {
	o := []string{"listen_addresses=", "max_connections=200"}
	if !durable {
		o = append(o, "shared_buffers=64MB", "autovacuum=off", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0")
	}
	args := make([]string, 0, 2*len(o))
	for _, x := range o {
		args = append(args, "-c", x)
	}
	return args
}
