package testapp

import (
	"context"
	"errors"
	"net"
	"testing"
)

// nobody is whom a test's program asks for what DNS says: nobody is there, and it says so at once.
var nobody = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("a test asks no DNS")
}}

// NewAsking is New with somebody to ask for what DNS says.
func NewAsking(t testing.TB, url string, dns *net.Resolver, env ...string) *App {
	t.Helper()
	return start(t, url, dns, env)
}
