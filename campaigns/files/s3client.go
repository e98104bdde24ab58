package files

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// s3client sends requests as S3 wants them signed: AWS Signature Version 4. It is safe for concurrent use.
type s3client struct {
	http           *http.Client
	endpoint       string // host or host:port
	scheme         string
	region         string
	access, secret string
	bucketInHost   bool // https://bucket.host/key, else https://host/bucket/key
	now            func() time.Time
	firstPause     time.Duration // before the second try; it doubles
}

// tries is how often a request is sent before it fails.
const tries = 4

func newS3Client(o S3Options) (*s3client, error) {
	scheme := "http"
	if o.Secure {
		scheme = "https"
	}
	at, err := url.Parse(scheme + "://" + o.Endpoint + "/")
	if err != nil || at.Host != o.Endpoint || at.Hostname() == "" || strings.ContainsAny(o.Endpoint, " /@") {
		return nil, fmt.Errorf("%q is no host for files: host or host:port is expected", o.Endpoint)
	}
	if o.Endpoint == "s3.amazonaws.com" && o.Region != "us-east-1" {
		o.Endpoint = "s3." + o.Region + ".amazonaws.com" // the first would only send us there
	}
	host := at.Hostname()
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       time.Minute,
		ForceAttemptHTTP2:     false, // one large content would hold up the others on its connection
		DisableCompression:    true,
	}
	return &s3client{
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the signature fits one host
		},
		endpoint: o.Endpoint, scheme: scheme, region: o.Region, access: o.AccessKey, secret: o.SecretKey,
		// The two that ask for it. A dot in the bucket's name would not fit the certificate.
		bucketInHost: (strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".aliyuncs.com")) && !strings.Contains(o.Bucket, "."),
		now:          time.Now, firstPause: 200 * time.Millisecond,
	}, nil
}

// s3Answer is what came back.
type s3Answer struct {
	header http.Header
	size   int64
	body   io.ReadCloser
	text   []byte // the whole body, for who asked for it
}

// s3Refusal is an answer that is an error.
type s3Refusal struct {
	status        int
	Code, Message string
}

func (r *s3Refusal) Error() string {
	return strings.TrimRight(fmt.Sprintf("S3: %d %s: %s", r.status, cmp.Or(r.Code, http.StatusText(r.status)), r.Message), ": ")
}

// again reports whether the same request may go well later.
func (r *s3Refusal) again() bool {
	switch r.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, 499, 520: // as nginx and Cloudflare say that the other side failed
		return true
	}
	return slices.Contains([]string{"RequestTimeout", "InternalError", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestThrottled"}, r.Code)
}

func refusal(status int, text []byte) *s3Refusal {
	r := &s3Refusal{}
	_ = xml.Unmarshal(text, r) // what is no XML leaves the status to tell
	r.status = status
	return r
}

// do sends a request, and again where the connection or the server fails for a moment. The error is *s3Refusal where the
// server answered.
func (c *s3client) do(ctx context.Context, method, bucket, key string, query url.Values, body []byte) (*s3Answer, error) {
	pause := c.firstPause
	for try := 1; ; try++ {
		a, err := c.once(ctx, method, bucket, key, query, body)
		if err == nil {
			return a, nil
		}
		var refused *s3Refusal
		if try == tries || ctx.Err() != nil || errors.As(err, &refused) && !refused.again() {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause/2 + rand.N(pause)):
			pause *= 2
		}
	}
}

func (c *s3client) once(ctx context.Context, method, bucket, key string, query url.Values, body []byte) (*s3Answer, error) {
	host, path := c.endpoint, "/"+bucket
	if c.bucketInHost {
		host, path = bucket+"."+c.endpoint, ""
	}
	if key != "" || path == "" {
		path += "/" + key
	}
	target := &url.URL{Scheme: c.scheme, Host: host, Path: path, RawPath: s3escape(path, "/"), RawQuery: s3query(query)}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPut {
		sum := md5.Sum(body) // not for secrecy: buckets that lock their objects ask for it
		req.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	c.sign(req, body)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer res.Body.Close()
		text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		if err != nil {
			return nil, err
		}
		return nil, refusal(res.StatusCode, text)
	}
	return &s3Answer{header: res.Header, size: res.ContentLength, body: res.Body}, nil
}

// sign adds the headers that prove who asks:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func (c *s3client) sign(req *http.Request, body []byte) {
	at := c.now().UTC()
	day, moment := at.Format("20060102"), at.Format("20060102T150405Z")
	content := hex.EncodeToString(sum256(body))
	req.Header.Set("X-Amz-Date", moment)
	req.Header.Set("X-Amz-Content-Sha256", content)

	names := []string{"host"}
	for name := range req.Header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	var headers strings.Builder
	for _, name := range names {
		value := req.Header.Get(name)
		if name == "host" {
			value = req.URL.Host
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	signed := strings.Join(names, ";")
	request := strings.Join([]string{req.Method, req.URL.EscapedPath(), req.URL.RawQuery, headers.String(), signed, content}, "\n")

	scope := day + "/" + c.region + "/s3/aws4_request"
	text := "AWS4-HMAC-SHA256\n" + moment + "\n" + scope + "\n" + hex.EncodeToString(sum256([]byte(request)))
	key := []byte("AWS4" + c.secret)
	for _, part := range []string{day, c.region, "s3", "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.access+"/"+scope+",SignedHeaders="+signed+",Signature="+hex.EncodeToString(key))
}

func sum256(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

// s3escape writes a text for an address the one way that signatures allow; the signs in keep stay.
func s3escape(text, keep string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~"+keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// s3query writes a query in the order of its names.
func s3query(query url.Values) string {
	var parts []string
	for name, values := range query {
		for _, v := range values {
			parts = append(parts, s3escape(name, "")+"="+s3escape(v, ""))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}
