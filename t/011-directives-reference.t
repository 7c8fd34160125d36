#!/usr/bin/perl
# docs/directives.md lists exactly the directives of src/nginx/conf.cc and src/nginx/gate_conf.cc with their contexts and
# defaults, and the variables of src/nginx/variables.cc and src/nginx/gate_variables.cc. docs/nginx-scim.7 agrees with it. Every directive occurs in conf-examples, which
# 013-conf-examples.t runs.

use strict;
use warnings;
use FindBin;
use Test::More;

my $root = "$FindBin::Bin/..";
sub slurp { open my $f, '<', $_[0] or die "$_[0]: $!"; local $/; return scalar <$f> }
my ($source, $gate, $reference) = map slurp("$root/$_"), qw(src/nginx/conf.cc src/nginx/gate_conf.cc docs/directives.md);

# --- from the source: the command tables, and the defaults where configurations are merged

my %anywhere = (anywhere => 'http, server, location', NGX_HTTP_MAIN_CONF => 'http', NGX_HTTP_LOC_CONF => 'location',
    NGX_HTTP_LMT_CONF => 'limit_except');
my (%context, %field);
my $table = join '', map /^ngx_command_t (?:gate_)?commands\[\] = \{(.*?)^\s*ngx_null_command/ms, $source, $gate;
while ($table =~ /\{ngx_string\("(\w+)"\),\s*(.+?) \| NGX_CONF_\w+,\s*(.*?)\},/gs) {
    my ($name, $where, $rest) = ($1, $2, $3);
    $context{$name} = join ', ', map $anywhere{$_} // "unknown: $_", grep !/^NGX_CONF_/, split / \| /, $where;
    $field{$1} = $name if $rest =~ /offsetof\((?:LocConfSlots|GateConfSlots), (\w+)\)/;
}
cmp_ok scalar(keys %context), '>', 5, 'more than five directives are found in the source';
is scalar(() = $table =~ /ngx_string/g), scalar(keys %context), 'every directive of the command tables is read';

my %default;
while ($source =~ /if \(conf->(\w+) == (NULL)\) conf->\1 = prev->\1;/g) { $default{ $field{$1} } = $2 if $field{$1} }
while ($source =~ /ngx_conf_merge_(?:uint|ptr)_value\(conf->(\w+), prev->\w+, (\w+)\);/g) { $default{ $field{$1} } = $2 if $field{$1} }
while ($gate =~ /ngx_conf_merge_(?:uint_|msec_)?value\(conf\.(\w+), outer\.\w+, (\w+)\);/g) { $default{ $field{$1} } = $2 if $field{$1} }
is join(' ', sort keys %default), join(' ', sort values %field), 'the source merges every directive of a location';
my %word = (scim_auth => { auth_token => 'token' }, scim_profile => { 0 => 'default' }, scim_on_error => { 0 => 'deny' },
    scim_nested_groups => { 0 => 'off' }, scim_recheck => { 10000 => '10s' }, scim_require_dry_run => { 0 => 'off' },
    scim_bulk_atomic => { 0 => 'off' }, scim_explain => { 0 => 'off' });

# --- from the reference

my %entry = map { /^### (\w+)\n\n(.*)/s ? ($1 => $2) : () } split /^(?=##)/m, $reference;
is join(' ', sort keys %entry), join(' ', sort keys %context), 'docs/directives.md has the directives of the source';
for my $name (sort keys %entry) {
    my %line = $entry{$name} =~ /^(Syntax|Default|Context): (.*)$/mg;
    is join(' ', sort keys %line), 'Context Default Syntax', "docs/directives.md: $name has Syntax, Default and Context";
    like $line{Syntax}, qr/^\*\*$name(?:;\*\*$|(?:\*\*| ).*;\*\*$)/, "docs/directives.md: $name has a syntax line";
    is $line{Context}, $context{$name}, "docs/directives.md: $name has the context of the source";
    my $default = $default{$name} // next;
    if ($default eq 'NULL' || $default eq 'NGX_CONF_UNSET_UINT') {
        unlike $line{Default}, qr/^$name \S+;$/, "docs/directives.md: $name has no default value" if $default eq 'NULL';
        next;
    }
    is $line{Default}, "$name " . ($word{$name}{$default} // $default) . ';',
        "docs/directives.md: $name has the default of the source";
}
my ($days, $gib) = slurp("$root/src/store/retention.h") =~ /age = int64_t\((\d+)\) \* 24 \* 3600 \* 1000;.*size = uint64_t\((\d+)\) << 30;/s;
like $entry{scim_log_retention}, qr/^Default: scim_log_retention ${days}d ${gib}g;$/m,
    'docs/directives.md: scim_log_retention has the default of the source';
for my $name (grep /_max_/, sort keys %entry) {
    my ($low, $high) = $entry{$name} =~ /\((\d+) to (\d+)\)/ or fail "docs/directives.md: $name has bounds";
    my ($slot) = $name =~ /^scim_(?:max_)?(\w+)$/;
    like $source, qr/${slot}_bounds = \{$low, $high\};/, "docs/directives.md: $name has the bounds of the source";
}

# --- variables

my %variable = map { $_ => 1 } slurp("$root/src/nginx/variables.cc") =~ /ngx_string\("(scim_\w+)"\)/g;
my %of_gate = map { $_ => 1 } slurp("$root/src/nginx/gate_variables.cc") =~ /ngx_string\("(scim_\w+)"\)/g;
cmp_ok scalar(keys %of_gate), '>', 5, 'more than five variables of the gate are found in the source';
cmp_ok scalar(keys %variable), '>', 5, 'more than five variables are found in the source';
is join(' ', sort $reference =~ /^\| `\$(\w+)` \|/mg), join(' ', sort keys %variable, keys %of_gate),
    'docs/directives.md has the variables of the source';
my $format = slurp("$root/conf-examples/log-format.conf");
like $format, qr/\$$_\b/, "\$$_ is in log-format.conf" for grep $_ ne 'scim_version', sort keys %variable;

# --- deviations

my $deviations = slurp("$root/docs/deviations.md");
my %deviation = map { $_ => 1 } 'unknown-attribute',
    map { slurp($_) =~ /\b(?:accepts|deviation|rewrote)\(\s*"([a-z-]+)"/g } map { glob } "$root/src/*/*.cc",
    "$root/src/*/*/*.cc";
cmp_ok scalar(keys %deviation), '>', 25, 'more than 25 deviations are found in the source';
is join(' ', $deviations =~ /^\| `([a-z-]+)` \|/mg), join(' ', sort keys %deviation),
    'docs/deviations.md has the deviations of the source in order';

# --- the manual page

# The syntax of an entry such as `.It Ic scim_store Ar name path Op Cm size= Ns Ar size`, as in docs/directives.md without
# asterisks.
sub syntax {
    my ($line) = @_;
    $line =~ s/\bOo /[/g;
    $line =~ s/ Oc\b/]/g;
    my $open = $line =~ s/\bOp /[/g;
    $line =~ s/ No \.\.\./ …/g;
    return $line =~ s/\b(?:Ic|Ar|Cm) //gr =~ s/ Ns //gr . ']' x $open . ';';
}

my $manual = slurp("$root/docs/nginx-scim.7");
my %said = map { /^\.It Ic (\w+)/ ? ($1 => $_) : () } split /^(?=\.It|\.El)/m, $manual;
is join(' ', sort keys %said), join(' ', sort keys %entry), 'the manual page has the directives of docs/directives.md';
for my $name (sort keys %said) {
    my %line = $entry{$name} =~ /^(Syntax|Default): (.*)$/mg;
    is syntax($said{$name} =~ /^\.It (.*)/), $line{Syntax} =~ tr/*//dr,
        "manual page: $name has the syntax of docs/directives.md";
    my ($default) = $line{Default} =~ /^$name (.*?);/;
    is +($said{$name} =~ /^Default: (.*)\.$/m)[0], $default, "manual page: $name has the default of docs/directives.md";
}
is join(' ', $manual =~ /^\.It Li ([a-z-]+)$/mg), join(' ', sort keys %deviation),
    'the manual page has the deviations of the source';
is join(' ', sort $manual =~ /^\.It Va \$(\w+)$/mg), join(' ', sort keys %variable, keys %of_gate),
    'the manual page has the variables of the source';
SKIP: {
    my @pages = glob "$root/docs/*.[1-8]";
    grep -x "$_/mandoc", split /:/, $ENV{PATH} or skip 'no mandoc', scalar @pages;
    is qx(mandoc -Tlint -Wwarning $_ 2>&1), '', "mandoc -Tlint finds no error in $_" for @pages;
}

# --- examples

my @examples = grep !/log-format/, glob "$root/conf-examples/*.conf";
my $examples = join '', map slurp($_), @examples;
like $examples, qr/^\s*$_(?:\s[^;]*)?;/m, "$_ is in conf-examples" for sort keys %context;

done_testing;
