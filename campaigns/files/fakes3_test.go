package files

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeS3 answers the part of the S3 protocol that we speak, over HTTP, with one bucket in memory. Listings
// come in pages of two.
type fakeS3 struct {
	url, bucket, access string

	mu       sync.Mutex
	objects  map[string]object
	uploads  map[string]map[int][]byte
	requests []string                                          // method and query names, in order
	before   func(w http.ResponseWriter, r *http.Request) bool // answers in place of the server where it returns true
}

type object struct {
	data     []byte
	modified time.Time
}

func startS3(t *testing.T) *fakeS3 {
	t.Helper()
	f := &fakeS3{bucket: "kith", access: "access", objects: map[string]object{}, uploads: map[string]map[int][]byte{}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func (f *fakeS3) store(t *testing.T) *S3 {
	t.Helper()
	s, err := NewS3(S3Options{Endpoint: strings.TrimPrefix(f.url, "http://"), Bucket: f.bucket, AccessKey: f.access, SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	body, err := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+strings.Join(names(q), ","))
	if f.before != nil && f.before(w, r) {
		return
	}
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "IncompleteBody")
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+f.access+"/"):
		refuse(w, http.StatusForbidden, "InvalidAccessKeyId")
	case bucket != f.bucket:
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case key == "" && r.Method == http.MethodHead:
	case key == "" && q.Get("list-type") == "2":
		f.list(w, q.Get("continuation-token"))
	case r.Method == http.MethodPost && q.Has("uploads"):
		id := fmt.Sprintf("u%d", len(f.uploads)+1)
		f.uploads[id] = map[int][]byte{}
		answer(w, struct {
			XMLName       xml.Name `xml:"InitiateMultipartUploadResult"`
			Key, UploadId string
		}{Key: key, UploadId: id})
	case r.Method == http.MethodPut && q.Has("uploadId"):
		n, _ := strconv.Atoi(q.Get("partNumber"))
		f.uploads[q.Get("uploadId")][n] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodPost && q.Has("uploadId"):
		var all []byte
		parts := f.uploads[q.Get("uploadId")]
		for n := 1; n <= len(parts); n++ {
			all = append(all, parts[n]...)
		}
		delete(f.uploads, q.Get("uploadId"))
		f.objects[key] = object{all, time.Now()}
		answer(w, struct {
			XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
			Bucket, Key, ETag string
		}{Bucket: bucket, Key: key, ETag: etag(all)})
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		delete(f.uploads, q.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		f.objects[key] = object{body, time.Now()}
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodDelete:
		delete(f.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet:
		o, ok := f.objects[key]
		if !ok {
			refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", etag(o.data))
		w.Header().Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", strconv.Itoa(len(o.data)))
		w.Write(o.data)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (f *fakeS3) list(w http.ResponseWriter, after string) {
	type entry struct {
		Key, ETag, LastModified string
		Size                    int
	}
	out := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name                  string
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []entry
	}{Name: f.bucket}
	keys := make([]string, 0, len(f.objects))
	for k := range f.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if k <= after {
			continue
		}
		if len(out.Contents) == 2 {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[1].Key
			break
		}
		o := f.objects[k]
		out.Contents = append(out.Contents, entry{k, etag(o.data), o.modified.UTC().Format("2006-01-02T15:04:05.000Z"), len(o.data)})
	}
	answer(w, out)
}

func names(q map[string][]string) []string {
	var n []string
	for k := range q {
		n = append(n, k)
	}
	slices.Sort(n)
	return n
}

func etag(b []byte) string {
	sum := md5.Sum(b)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/xml")
	b, _ := xml.Marshal(v)
	w.Write(append([]byte(xml.Header), b...))
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s<Error><Code>%s</Code><Message>%s</Message></Error>", xml.Header, code, code)
}
