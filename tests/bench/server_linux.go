package main

import "syscall"

// withParent lets a program end with us, whatever ends us.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
