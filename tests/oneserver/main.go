// Command oneserver runs another command with one PostgreSQL server for all test processes of it, where each would start and fill a
// server of its own: go run ./tests/oneserver go test ./... Without PostgreSQL the command runs all the same, and its tests say so.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"kithline/tests/testdb"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./tests/oneserver COMMAND...")
		return 2
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdout, os.Stderr, os.Environ()
	if url, err := testdb.SharedServer(); err == nil {
		cmd.Env = append(cmd.Env, "KITHLINE_TEST_DATABASE_URL="+url)
	}
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		return max(1, ended.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
