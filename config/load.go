package config

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

const prefix = "KITHLINE_"

// testPrefix begins the variables that only the project's own tests read.
const testPrefix = "KITHLINE_TEST_"

// Override is a value set by a flag of the command line. It wins over the environment.
type Override struct {
	Name  string // the variable it stands for
	Value string
	From  string // what to call its source, such as "--addr"
}

// Problem is one thing that is wrong with the configuration, in plain words.
type Problem struct {
	Variable string // the variable to change
	Wrong    string // what is wrong: the rest of a sentence that begins with the variable
	Do       string // what to do: a sentence of its own
}

func (p Problem) String() string { return p.Variable + " " + p.Wrong + ". " + p.Do + "." }

// Problems is everything that is wrong with a configuration, in the order of the documentation.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, x := range p {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(variable, wrong, do string) {
	*p = append(*p, Problem{Variable: variable, Wrong: wrong, Do: do})
}

// has reports whether something is already wrong with the variable, so that one mistake is told once.
func (p Problems) has(variable string) bool {
	return slices.ContainsFunc(p, func(x Problem) bool { return x.Variable == variable })
}

// Load reads the configuration from an environment as os.Environ gives it. An empty variable counts as not set. The error
// is always Problems, and holds everything that is wrong at once.
func Load(environ []string, overrides ...Override) (Config, error) {
	given := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, prefix) && value != "" {
			given[name] = value
		}
	}

	var problems Problems
	values, origins := gather(given, overrides, &problems)
	c := Config{origins: origins}
	parse(&c, values, &problems)
	c.validate(values, &problems)
	problems.unknown(given)
	if len(problems) > 0 {
		order := map[string]int{}
		for i, s := range settings {
			order[s.name] = i - len(settings) // known ones first
		}
		slices.SortStableFunc(problems, func(a, b Problem) int { return order[a.Variable] - order[b.Variable] })
		return Config{}, problems
	}
	return c, nil
}

// gather decides for each known variable what its value is and where it comes from: flag, environment or file.
func gather(given map[string]string, overrides []Override, problems *Problems) (values, origins map[string]string) {
	values, origins = map[string]string{}, map[string]string{}
	for _, s := range settings {
		value, direct := given[s.name]
		file, byFile := given[s.name+"_FILE"]
		if i := slices.IndexFunc(overrides, func(o Override) bool { return o.Name == s.name }); i >= 0 {
			values[s.name], origins[s.name] = overrides[i].Value, overrides[i].From
			continue
		}
		switch {
		case direct && byFile:
			problems.add(s.name, "is set, and so is "+s.name+"_FILE", "Keep one of the two")
		case direct:
			values[s.name], origins[s.name] = value, "environment"
		case byFile:
			text, err := readValue(file)
			if err != nil {
				problems.add(s.name, "should come from the file "+file+", which "+reason(err),
					"Put the value into that file, let this user read it, or take "+s.name+"_FILE away")
				continue
			}
			values[s.name], origins[s.name] = text, "file "+file
		default:
			origins[s.name] = "default"
		}
	}
	return values, origins
}

// largestValue is the size above which a value file is taken for a mistake.
const largestValue = 64 << 10

var errTooLarge = errors.New("too large")

// readValue reads a value from a file and drops the line end that editors leave.
func readValue(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > largestValue {
		return "", errTooLarge
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "this user may not read"
	case errors.Is(err, errTooLarge):
		return "is larger than any value can be"
	}
	return "cannot be read as a file"
}

// parse fills c from values. Where something cannot be read, it tries each variable alone to name the one at fault.
func parse(c *Config, values map[string]string, problems *Problems) {
	if env.ParseWithOptions(c, options(values)) == nil {
		return
	}
	good := map[string]string{}
	for _, s := range settings {
		value, set := values[s.name]
		if !set {
			continue
		}
		if err := env.ParseWithOptions(&Config{}, options(map[string]string{s.name: value})); err != nil {
			problems.add(s.name, "is "+s.shown(value)+", which it cannot take", "Give "+s.accepts)
			continue
		}
		good[s.name] = value
	}
	if err := env.ParseWithOptions(c, options(good)); err != nil {
		problems.add("KITHLINE_*", "cannot be read together: "+err.Error(), "Start with none of them set and add one at a time")
	}
}

func options(values map[string]string) env.Options {
	return env.Options{Environment: values}
}

// unknown adds a problem for every KITHLINE_ variable that nothing reads, with the nearest name that exists.
func (p *Problems) unknown(given map[string]string) {
	names := []string{}
	for _, s := range settings {
		names = append(names, s.name, s.name+"_FILE")
	}
	strangers := []string{}
	for name := range given {
		if !slices.Contains(names, name) && !strings.HasPrefix(name, testPrefix) {
			strangers = append(strangers, name)
		}
	}
	slices.Sort(strangers)
	for _, name := range strangers {
		near := nearest(name, names)
		if near == "" {
			p.add(name, "is not a setting", "Take it away; `kithline config --docs` lists every setting")
			continue
		}
		p.add(name, "is not a setting", "Did you mean "+near+"? If not, take it away")
	}
}

// nearest returns the name with the fewest changed letters, or "" when none is near.
func nearest(name string, names []string) string {
	best, least := "", max(3, len(name)/4)
	for _, n := range names {
		if d := distance(strings.TrimPrefix(name, prefix), strings.TrimPrefix(n, prefix)); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance counts the letters to insert, drop or change to make b from a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
