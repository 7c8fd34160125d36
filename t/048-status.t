#!/usr/bin/perl
# scim_status shows as metrics what the access log says of the same requests, to Prometheus and as JSON, and the counters
# survive a reload.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

my $t = Scim->new(workers => 2, http => <<'EOH', server => <<'EOS');
    scim_store main %%DIR%%/store size=64m;
    scim_status_zone scim 256k;
    log_format scim '$scim_tenant $scim_operation $status';
EOH
    location /scim/v2 { scim main; access_log %%DIR%%/access.log scim; }
    location /status { access_log off; scim_status; }
    location /app {
        access_log off;
        scim_subject $http_x_remote_user tenant=acme trusted;
        scim_require active;
        scim_decide;
    }
    location /dry { access_log off; scim_subject $http_x_remote_user tenant=acme trusted; scim_require active; scim_require_dry_run on; scim_decide; }
EOS
my $token = $t->seed('acme');
my $foreign = $t->token($t->tenant('globex'), expires => '90d');
my $old = $t->token('globex', label => 'old');
$t->token('globex', label => 'of "Okta" \\ HR', expires => '30d');
$t->start;
my $users = '/scim/v2/Users';

# The samples of the Prometheus text: "name{labels}" => value.
sub metrics {
    my $r = $t->request(GET => '/status');
    return { map { /^([a-z_]+(?:\{.*\})?) (\S+)$/ ? ($1 => $2) : () } grep !/^#/, split /\n/, $r->{body} };
}
sub slurp { open my $f, '<', $_[0] or return ''; local $/; return <$f> // '' }

# --- the requests, against the access log

my $c = $t->client(token => $token);
my @ids = map $c->request(POST => $users, json => Scim::user("user$_"))->{json}{id}, 1 .. 20;
$c->request(GET => "$users/$_") for @ids;
$c->request(GET => "$users?filter=userName%20eq%20%22user1%22") for 1 .. 5;
$c->request(GET => "$users?filter=userName%20eq") for 1 .. 3;
$c->request(PATCH => "$users/$ids[0]", json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations => [{ op => 'Replace', path => 'active', value => 'False' }] });
$c->request(DELETE => "$users/$ids[1]");
$c->request(POST => $users, json => Scim::user('user1'));
$t->request(GET => $users, token => $foreign) for 1 .. 4;
$t->request(GET => $users) for 1 .. 2;
is +($t->scimctl(qw(token revoke --tenant globex old)))[0], 0, 'a token is revoked';
$t->request(GET => $users, token => $old);
$t->concurrently(4, 200, sub { my ($i, $client) = @_; return $client->request(GET => "$users/$ids[$i % 10]", token => $token) });

my %logged;
$t->wait_for(sub { %logged = (); $logged{$_}++ for split /\n/, slurp("$t->{dir}/access.log"); my $n = 0; $n += $_ for values %logged; $n == 258 });
my $m = metrics();
my %counted;
for (grep /^nginx_scim_requests_total/, keys %$m) {
    my %label = /(\w+)="(.*?)"/g;
    $counted{ join ' ', map { length $_ ? $_ : '-' } $label{tenant}, $label{operation} eq 'none' ? '' : $label{operation}, $label{code} } = $m->{$_};
}
is_deeply \%counted, \%logged, 'the counters of requests are those of the access log';
is $m->{'nginx_scim_errors_total{type="invalidFilter"}'}, 3, 'errors are counted by scimType';
is $m->{'nginx_scim_errors_total{type="uniqueness"}'}, 1, 'a uniqueness error is counted';
is $m->{'nginx_scim_rewrites_total{name="op-case"}'}, 1, 'rewrites are counted by name';
is $m->{'nginx_scim_rewrites_total{name="string-boolean"}'}, 1, 'each rewrite of a request is counted';
is $m->{'nginx_scim_request_duration_seconds_count{kind="write"}'}, 23, 'the durations of writes are observed';
is $m->{'nginx_scim_request_duration_seconds_bucket{kind="write",le="+Inf"}'}, 23, 'the last bucket has all of them';
is $m->{'nginx_scim_commit_duration_seconds_count'}, $m->{'nginx_scim_batch_requests_count'}, 'each commit has a size';
cmp_ok $m->{'nginx_scim_batch_requests_sum'}, '>=', 22, 'the batches contain the writes';
is $m->{'nginx_scim_waiting_writes'}, 0, 'no write waits';

{
    open my $page, '<', "$FindBin::Bin/../docs/deviations.md" or die $!;
    my @missing = grep !exists $m->{"nginx_scim_rewrites_total{name=\"$_\"}"}, map { /^\| `([a-z-]+)` \|/ ? $1 : () } <$page>;
    is "@missing", '', 'every deviation of docs/deviations.md has a counter';
}

# --- the stores

is $m->{'nginx_scim_store_up{store="main"}'}, 1, 'the store is up';
is $m->{'nginx_scim_store_map_bytes{store="main"}'}, 64 << 20, 'the size of the map';
cmp_ok $m->{'nginx_scim_store_used_bytes{store="main"}'}, '>', 4096, 'the used bytes of the map';
is $m->{'nginx_scim_resources{store="main",tenant="acme",type="User"}'}, 19, 'the resources of a tenant';
cmp_ok abs($m->{'nginx_scim_last_write_timestamp_seconds{store="main",tenant="acme"}'} - time), '<', 600, 'the last write of a tenant';
cmp_ok abs($m->{'nginx_scim_token_expiry_timestamp_seconds{store="main",tenant="globex",token="1",label="test"}'} - time - 90 * 86400), '<', 600,
    'when a token expires';

ok exists $m->{'nginx_scim_token_expiry_timestamp_seconds{store="main",tenant="globex",token="3",label="of \"Okta\" \\\\ HR"}'},
    'quotation marks and backslashes in a label are escaped';

# --- readers

{
    my $before = metrics();
    my $reading = $t->hold_snapshot;
    my $held = metrics();
    is $held->{'nginx_scim_store_readers{store="main"}'}, $before->{'nginx_scim_store_readers{store="main"}'} + 1, 'the slot of another process that reads is counted';
    is $held->{'nginx_scim_store_oldest_reader_commits{store="main"}'}, 0, 'a snapshot of the last commit has the age 0';
    $c->request(POST => $users, json => Scim::user("later$_")) for 1 .. 3;
    my $later = metrics();
    is $later->{'nginx_scim_store_oldest_reader_commits{store="main"}'},
        $later->{'nginx_scim_store_commits_total{store="main"}'} - $held->{'nginx_scim_store_commits_total{store="main"}'},
        'the age of the oldest snapshot is the number of commits since';
    cmp_ok $later->{'nginx_scim_store_oldest_reader_commits{store="main"}'}, '>=', 3, 'it grows with each commit';
    $t->release($reading);
    is metrics()->{'nginx_scim_store_oldest_reader_commits{store="main"}'}, 0, 'the age is 0 when the snapshot is closed';
    cmp_ok $later->{'nginx_scim_store_reader_slots{store="main"}'}, '>=', 100, 'the slots of the reader table';
}

# --- the gate

$t->request(GET => '/app', headers => { 'X-Remote-User' => $_ }) for qw(user2 user3 user3 user1 nobody);
$t->request(GET => '/dry', headers => { 'X-Remote-User' => 'nobody' });
my $gate = metrics();
is $gate->{'nginx_scim_gate_decisions_total{decision="allow",reason=""}'}, 2, 'the gate: allowed';
is $gate->{'nginx_scim_gate_decisions_total{decision="deny",reason="inactive"}'}, 1, 'the gate: an inactive user';
is $gate->{'nginx_scim_gate_decisions_total{decision="deny",reason="unknown"}'}, 2, 'the gate: unknown users';
is $gate->{'nginx_scim_gate_decisions_total{decision="dry_run_deny",reason="unknown"}'}, 1, 'the gate: a dry run';

# --- what documents and the dashboard name

{
    my %named = map { $_ => 1 } $t->request(GET => '/status')->{body} =~ /^# TYPE (\w+)/mg;
    my $page = slurp("$FindBin::Bin/../docs/status.md");
    is join(' ', sort grep $page !~ /`$_`/, keys %named), '', 'docs/status.md has every metric';
    for (qw(docs/status.md docs/troubleshooting.md conf-examples/grafana-dashboard.json)) {
        my %used = map { s/_(?:bucket|sum|count)$//r => 1 } slurp("$FindBin::Bin/../$_") =~ /\b(nginx_scim_\w+)/g;
        is join(' ', sort grep !$named{$_}, keys %used), '', "every metric of $_ exists";
    }
}

# --- media types and methods

for (
    ['*/*', 'text/plain; version=0.0.4; charset=utf-8'], ['application/json', 'application/json'],
    ['text/plain;q=0.2, application/json;q=0.3', 'application/json'], ['application/json;q=0.5, */*', 'text/plain; version=0.0.4; charset=utf-8'],
    ['application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'text/plain; version=0.0.4; charset=utf-8'],
) {
    my ($accept, $type) = @$_;
    is $t->request(GET => '/status', headers => { Accept => $accept })->{headers}{'content-type'}, $type, "Accept: $accept";
}
my $r = $t->request(GET => '/status', headers => { Accept => 'application/json' });
my ($resources) = grep $_->{name} eq 'nginx_scim_resources', @{ $r->{json}{metrics} };
is_deeply [map $_->{value}, grep { $_->{labels}{tenant} eq 'acme' && $_->{labels}{type} eq 'User' } @{ $resources->{samples} }], [22],
    'the JSON has the same numbers';
is $t->request(HEAD => '/status')->{status}, 200, 'HEAD is answered';
is $t->request(POST => '/status', body => 'x')->{status}, 405, 'POST is refused';

# --- the rules of Prometheus' text format and of its names, which `promtool check metrics` checks, too

# What is wrong with a page.
sub against_conventions {
    my ($page) = @_;
    my ($current, @wrong, %help, %type, %seen) = ('none');
    for my $line (split /\n/, $page) {
        if ($line =~ /^# HELP (\S+) (\S.*)/) { $help{$1}++ and push @wrong, "two HELP of $1" }
        elsif ($line =~ /^# TYPE (\S+) (counter|gauge|histogram)\z/) {
            $type{$1} and push @wrong, "two TYPE of $1";
            ($current, $type{$1}) = ($1, $2);
        } elsif ($line =~ /^([^\s{]+)(?:\{(.*)\})? (?:\d+(?:\.\d+)?(?:e[+-]\d+)?|\+Inf)\z/) {
            my ($name, $labels) = ($1, $2 // '');
            my $suffix = ($type{$current} // '') eq 'histogram' ? '_(?:bucket|sum|count)' : '';
            $name =~ /\A$current$suffix\z/ or push @wrong, "$name follows the TYPE of $current";
            $seen{$line =~ s/ \S+\z//r}++ and push @wrong, "two samples $line";
            $labels =~ /\A(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,|\z))*\z/ or push @wrong, "labels $labels";
            ($labels =~ /\ble="/) == ($name =~ /_bucket\z/) or push @wrong, "le in $line";
        } else { push @wrong, "line $line" }
    }
    for (sort keys %type) {
        push @wrong, "$_ has no help" if !$help{$_};
        push @wrong, "the name $_" if !/\Anginx_scim_[a-z]+(?:_[a-z]+)*\z/;
        push @wrong, "$_ is a $type{$_}" if ($type{$_} eq 'counter') != /_total\z/;
        push @wrong, "the type is in $_" if /_(?:counter|gauge|histogram|summary)(?:_|\z)/;
        push @wrong, "the end of $_ is reserved" if /_(?:bucket|count|sum|info)\z/;
        push @wrong, "the unit of $_ is not a base unit" if /_(?:ms|us|ns|s|sec|secs|milli\w*|micro\w*|nano\w*|minutes|hours|days|kb|mb|gb|kib|mib|kilo\w*|mega\w*|giga\w*|bits|percent)(?:_|\z)/;
    }
    return @wrong;
}
{
    my $page = $t->request(GET => '/status')->{body};
    is join("\n", against_conventions($page)), '', 'the page follows the conventions of Prometheus';
    for (
        ["# HELP a_b x\n# TYPE a_b gauge\na_b 1\n", 'the name a_b'], ["# TYPE nginx_scim_a gauge\nnginx_scim_a 1\n", 'nginx_scim_a has no help'],
        ["# HELP nginx_scim_a x\n# TYPE nginx_scim_a counter\nnginx_scim_a 1\n", 'nginx_scim_a is a counter'],
        ["# HELP nginx_scim_ms x\n# TYPE nginx_scim_ms gauge\nnginx_scim_ms{le=\"1\"} 1\nnginx_scim_ms{le=\"1\"} 1\n", qr/^le in .*two samples .*base unit/s],
        ["nginx_scim_a 1\n", qr/follows the TYPE of none/],
    ) { like join("\n", against_conventions($_->[0])), ref $_->[1] ? $_->[1] : qr/^\Q$_->[1]\E$/, 'a page that breaks them is found' }
    my %bucket;
    push @{ $bucket{$1 . ($2 // '')} }, $3 while $page =~ /^(\w+)_bucket\{(.*?,)?le="[^"]*"\} (\d+)$/mg;
    is join(' ', grep { my @n = @{ $bucket{$_} }; grep $n[$_] < $n[$_ - 1], 1 .. $#n } sort keys %bucket), '', 'the buckets of a histogram are cumulative';
    cmp_ok scalar(keys %bucket), '>=', 4, 'there are histograms';
}

SKIP: {
    system('which promtool >/dev/null 2>&1') == 0 or skip 'no promtool', 1;
    my ($exit, $out, $err) = $t->run($t->request(GET => '/status')->{body}, qw(promtool check metrics));
    is "$exit $out$err", '0 ', 'promtool check metrics finds nothing';
}

# --- a reload

$t->reload;
is metrics()->{'nginx_scim_errors_total{type="invalidFilter"}'}, 3, 'the counters survive a reload';

# --- configurations

for (
    ['scim_status_zone scim 1k;', qr/invalid size "1k" in "scim_status_zone" directive, it must be a size such as 256k, at least 64k/],
    ['scim_status_zone scim 65535;', qr/invalid size "65535" in "scim_status_zone" directive, it must be a size such as 256k, at least 64k/],
    ['scim_status_zone scim many;', qr/invalid size "many" in "scim_status_zone" directive/],
    ['scim_status_zone a 64k; scim_status_zone b 64k;', qr/duplicate "scim_status_zone" directive/],
    ['scim_status_zone scim;', qr/invalid number of arguments in "scim_status_zone" directive/],
) {
    my ($conf, $problem) = @$_;
    my ($exit, $said) = Scim->new(http => $conf)->check;
    like "$exit $said", qr/^1 .*$problem/s, "nginx -t refuses $conf";
}
{
    my $small = Scim->new(http => 'scim_store main %%DIR%%/store size=64m; scim_status_zone scim 64k;', server =>
        'location /scim/v2 { scim main; } location /status { scim_status; }');
    my @tokens = ($small->seed('t0'), map $small->token($small->tenant("t$_")), 1 .. 40);
    $small->start;
    is $small->request(GET => $users, token => $_)->{status}, 200, 'a tenant is served whether or not the zone has room' for @tokens[0, 40];
    $small->request(GET => $users, token => $_) for @tokens[1 .. 39];
    my %of = map { /^nginx_scim_requests_total\{store="(\w*)",tenant="(\w*)".*\} (\d+)$/ ? ($2 => $3) : () } split /\n/, $small->request(GET => '/status')->{body};
    cmp_ok scalar(keys %of), '>', 5, 'a small zone counts some tenants';
    my $sum = 0;
    $sum += $_ for values %of;
    is $sum, 41, 'and all others together';
    ok $small->quit, 'nginx ends';
}

$t->finish;
