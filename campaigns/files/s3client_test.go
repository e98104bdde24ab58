package files

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// example is the client of the examples in Amazon's description of its signature.
func example(t *testing.T) *s3client {
	t.Helper()
	c, err := newS3Client(S3Options{
		Endpoint: "s3.amazonaws.com", Secure: true, Bucket: "examplebucket", Region: "us-east-1", AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	})
	if err != nil {
		t.Fatal(err)
	}
	c.now = func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) }
	return c
}

// TestSignature holds signatures against those that Amazon prints:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func TestSignature(t *testing.T) {
	for _, c := range []struct {
		name, method, path string
		query              url.Values
		header             map[string]string
		body, want         string
	}{
		{name: "get an object", method: "GET", path: "/test.txt", header: map[string]string{"Range": "bytes=0-9"}, want: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{
			name: "put an object", method: "PUT", path: "/test$file.text", body: "Welcome to Amazon S3.",
			header: map[string]string{"Date": "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY"},
			want:   "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
		},
		{name: "lifecycle", method: "GET", path: "/", query: url.Values{"lifecycle": {""}}, want: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{name: "list", method: "GET", path: "/", query: url.Values{"max-keys": {"2"}, "prefix": {"J"}}, want: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		at := &url.URL{Scheme: "https", Host: "examplebucket.s3.amazonaws.com", Path: c.path, RawPath: s3escape(c.path, "/"), RawQuery: s3query(c.query)}
		req, err := http.NewRequest(c.method, at.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range c.header {
			req.Header.Set(name, value)
		}
		example(t).sign(req, []byte(c.body))
		if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestWhereTheBucketIs: Amazon has it in the name of the host, most others in the path.
func TestWhereTheBucketIs(t *testing.T) {
	for _, c := range []struct{ endpoint, region, bucket, want string }{
		{"s3.amazonaws.com", "us-east-1", "kith", "https://kith.s3.amazonaws.com/key"},
		{"s3.amazonaws.com", "eu-west-1", "kith", "https://kith.s3.eu-west-1.amazonaws.com/key"},
		{"s3.eu-west-1.amazonaws.com", "eu-west-1", "with.dot", "https://s3.eu-west-1.amazonaws.com/with.dot/key"},
		{"oss-eu-central-1.aliyuncs.com", "", "kith", "https://kith.oss-eu-central-1.aliyuncs.com/key"},
		{"storage.googleapis.com", "auto", "kith", "https://storage.googleapis.com/kith/key"},
		{"minio.example.org:9000", "", "kith", "https://minio.example.org:9000/kith/key"},
		{"[::1]:9000", "", "kith", "https://[::1]:9000/kith/key"},
	} {
		client, err := newS3Client(S3Options{Endpoint: c.endpoint, Secure: true, Region: c.region, Bucket: c.bucket})
		if err != nil {
			t.Fatal(err)
		}
		asked := ""
		client.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.String()
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})
		if _, err := client.do(t.Context(), http.MethodGet, c.bucket, "key", nil, nil); err != nil || asked != c.want {
			t.Errorf("%s: %s, want %s; %v", c.endpoint, asked, c.want, err)
		}
	}
	for _, wrong := range []string{"", "http://host", "host/path", "user@host", "a b"} {
		if _, err := newS3Client(S3Options{Endpoint: wrong}); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestGivesUp: what cannot go well is asked once, what may go well is asked again, and no longer than the reader waits.
func TestGivesUp(t *testing.T) {
	f := startS3(t)
	b := f.store(t)
	b.client.firstPause = time.Microsecond
	for status, want := range map[int]int{http.StatusForbidden: 1, http.StatusMovedPermanently: 1, http.StatusServiceUnavailable: tries, http.StatusInternalServerError: tries} {
		f.requests = nil
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", f.url)
			w.WriteHeader(status)
			return true
		}
		err := b.Put(t.Context(), strings.Repeat("a", 32), strings.NewReader("x"), 1)
		if err == nil || len(f.requests) != want {
			t.Errorf("%d: %v after %d requests, want %d", status, err, len(f.requests), want)
		}
	}
}

// TestUploadThatFailsIsEnded: a part that is refused, or an end that is, leaves nothing in the bucket.
func TestUploadThatFailsIsEnded(t *testing.T) {
	f := startS3(t)
	b := f.store(t)
	b.client.firstPause = time.Microsecond
	key := strings.Repeat("a", 32)
	for _, refused := range []string{"PUT partNumber,uploadId", "POST uploadId"} {
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			if f.requests[len(f.requests)-1] != refused {
				return false
			}
			if strings.HasPrefix(refused, "POST") { // a good status, and then the error
				refuse(w, http.StatusOK, "InternalError")
			} else {
				refuse(w, http.StatusForbidden, "AccessDenied")
			}
			return true
		}
		if err := b.Put(t.Context(), key, strings.NewReader(strings.Repeat("x", partSize+1)), -1); err == nil {
			t.Errorf("%s: no error", refused)
		}
		if len(f.uploads) > 0 || len(f.objects) > 0 {
			t.Errorf("%s: %d uploads and %d objects are left", refused, len(f.uploads), len(f.objects))
		}
	}
	f.before = nil
	for _, c := range []struct {
		text string
		size int64
	}{{"xy", 3}, {"xyz", 2}, {strings.Repeat("x", partSize+3), partSize + 4}} {
		if err := b.Put(t.Context(), key, strings.NewReader(c.text), c.size); err == nil {
			t.Errorf("%d bytes were taken for %d", len(c.text), c.size)
		}
	}
	for _, n := range []int{0, 1, partSize - 1, partSize, partSize + 1, 2 * partSize} {
		if err := b.Put(t.Context(), key, strings.NewReader(strings.Repeat("x", n)), -1); err != nil || len(f.objects[key].data) != n {
			t.Errorf("%d bytes: %d came, %v", n, len(f.objects[key].data), err)
		}
	}
}
