package files

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// S3 keeps contents as objects of one bucket, on anything that speaks S3. Let the bucket's own rules end uploads that were
// begun and never finished.
type S3 struct {
	client *s3client
	bucket string
	prefix string
}

// S3Options say where the bucket is.
type S3Options struct {
	Endpoint  string // host or host:port
	Secure    bool   // https
	Bucket    string
	Region    string // us-east-1 where it is empty
	AccessKey string
	SecretKey string
	Prefix    string // before every key, such as "erased/": a store of its own in the same bucket
}

// partSize is how much of a content is sent at once, in bytes; that much memory is used for it. 10,000 parts make the largest
// content: 80 GB.
const partSize = 8 << 20

// NewS3 returns the store in a bucket. It does not connect; Check does.
func NewS3(o S3Options) (*S3, error) {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	c, err := newS3Client(o)
	if err != nil {
		return nil, err
	}
	return &S3{client: c, bucket: o.Bucket, prefix: o.Prefix}, nil
}

// Check asks whether the bucket is there and may be used. The error is a sentence for the operator.
func (s *S3) Check(ctx context.Context) error {
	_, err := s.ask(ctx, http.MethodHead, "", nil, nil)
	var refused *s3Refusal
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return fmt.Errorf("there is no bucket %s at %s", s.bucket, s.client.endpoint)
	}
	if err != nil {
		return fmt.Errorf("the bucket %s at %s cannot be used: %w", s.bucket, s.client.endpoint, err)
	}
	return nil
}

// ask sends a request whose answer is short, and returns it.
func (s *S3) ask(ctx context.Context, method, key string, query url.Values, body []byte) (*s3Answer, error) {
	a, err := s.client.do(ctx, method, s.bucket, key, query, body)
	if err != nil {
		return nil, err
	}
	defer a.body.Close()
	const longest = 8 << 20 // a page of a listing has some hundred KB
	a.text, err = io.ReadAll(io.LimitReader(a.body, longest))
	return a, err
}

// Put stores a content in one request, or in parts where it is larger than one.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if !isKey(key) {
		return fmt.Errorf("files: %q is not the key of a content", key)
	}
	first, last, err := nextPart(r, size)
	if err != nil {
		return err
	}
	if last {
		if size >= 0 && int64(len(first)) != size {
			return io.ErrUnexpectedEOF
		}
		_, err := s.ask(ctx, http.MethodPut, s.prefix+key, nil, first)
		return err
	}
	begun, err := s.ask(ctx, http.MethodPost, s.prefix+key, url.Values{"uploads": {""}}, nil)
	if err != nil {
		return err
	}
	var upload struct{ UploadId string }
	if err := xml.Unmarshal(begun.text, &upload); err != nil || upload.UploadId == "" {
		return fmt.Errorf("files: the answer of S3 to the start of an upload: %w", errors.Join(err, errNoUpload))
	}
	if err := s.parts(ctx, key, upload.UploadId, first, r, size); err != nil {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, gone := s.ask(end, http.MethodDelete, s.prefix+key, url.Values{"uploadId": {upload.UploadId}}, nil)
		return errors.Join(err, gone)
	}
	return nil
}

var errNoUpload = errors.New("no upload id")

// parts sends a content in parts, the first of which was read.
func (s *S3) parts(ctx context.Context, key, upload string, part []byte, r io.Reader, size int64) error {
	type done struct {
		PartNumber int
		ETag       string
	}
	var all struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []done
	}
	sum := int64(0)
	for n, last := 1, false; ; n++ {
		a, err := s.ask(ctx, http.MethodPut, s.prefix+key, url.Values{"partNumber": {strconv.Itoa(n)}, "uploadId": {upload}}, part)
		if err != nil {
			return err
		}
		all.Part = append(all.Part, done{n, a.header.Get("ETag")})
		sum += int64(len(part))
		if last {
			break
		}
		if part, last, err = nextPart(r, -1); err != nil {
			return err
		}
		if last && len(part) == 0 {
			break
		}
	}
	if size >= 0 && sum != size {
		return io.ErrUnexpectedEOF
	}
	body, err := xml.Marshal(all)
	if err != nil {
		return err
	}
	a, err := s.ask(ctx, http.MethodPost, s.prefix+key, url.Values{"uploadId": {upload}}, body)
	if err != nil {
		return err
	}
	if bytes.Contains(a.text, []byte("<Error>")) { // an answer that began well may end so
		return refusal(http.StatusOK, a.text)
	}
	return nil
}

// nextPart reads what is sent at once. last says that nothing follows.
func nextPart(r io.Reader, size int64) (part []byte, last bool, err error) {
	room := int64(partSize)
	if size >= 0 && size < room {
		room = size + 1
	}
	part, err = io.ReadAll(io.LimitReader(r, room))
	return part, int64(len(part)) < room, err
}

// Get opens a content.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	a, err := s.client.do(ctx, http.MethodGet, s.bucket, s.prefix+key, nil, nil)
	var refused *s3Refusal
	if errors.As(err, &refused) && refused.Code == "NoSuchKey" {
		return nil, 0, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, 0, err
	}
	return a.body, a.size, nil
}

// Delete removes a content.
func (s *S3) Delete(ctx context.Context, key string) error {
	_, err := s.ask(ctx, http.MethodDelete, s.prefix+key, nil, nil)
	var refused *s3Refusal
	if errors.As(err, &refused) && refused.Code == "NoSuchKey" { // some servers say so
		return nil
	}
	return err
}

// List gives every content. Objects that are not of this store are passed over.
func (s *S3) List(ctx context.Context, fn func(Blob) error) error {
	query := url.Values{"list-type": {"2"}, "prefix": {s.prefix}}
	for {
		a, err := s.ask(ctx, http.MethodGet, "", query, nil)
		if err != nil {
			return err
		}
		var page struct {
			IsTruncated           bool
			NextContinuationToken string
			Contents              []struct {
				Key          string
				Size         int64
				LastModified time.Time
			}
		}
		if err := xml.Unmarshal(a.text, &page); err != nil {
			return fmt.Errorf("files: the list of S3: %w", err)
		}
		now, err := http.ParseTime(a.header.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		for _, o := range page.Contents {
			key := strings.TrimPrefix(o.Key, s.prefix)
			if !isKey(key) {
				continue
			}
			if err := fn(Blob{Key: key, Size: o.Size, Age: now.Sub(o.LastModified)}); err != nil {
				return err
			}
		}
		if !page.IsTruncated || page.NextContinuationToken == "" {
			return nil
		}
		query.Set("continuation-token", page.NextContinuationToken)
	}
}
