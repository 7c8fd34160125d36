#!/usr/bin/perl
# Requests that the gate rechecks end in every way, with mirror and SSI beside them: the client or the application closes its
# connection, a time runs out, the user loses access, all at the same time. Afterwards the worker has no socket and no memory
# more than before. SCIM_ROUNDS=2100 for 100,000 requests, which takes about 15 minutes: 5 rounds are run at a time then.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Streams;

my $rounds = $ENV{SCIM_ROUNDS} // 4;
my $at_once = $rounds < 100 ? 1 : 5;
# What is freed is used again soon, so that memory that grows is memory that is not freed.
$ENV{ASAN_OPTIONS} = join ':', grep length, $ENV{ASAN_OPTIONS} // '', 'quarantine_size_mb=1';
my $app = Scim::Streams::application();
my $pass = "proxy_pass http://127.0.0.1:$app->{port}; proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade; "
    . 'proxy_set_header Connection $http_connection;';
my $t = Scim->new(main => 'thread_pool default threads=4;', events => 'worker_connections 4096;', http => <<'EOH', server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
EOH
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_recheck 1s;
    keepalive_timeout 0;
    location /scim/v2/ { scim main; keepalive_timeout 75s; }
    location / {
        scim_require active;
        proxy_read_timeout 1s;
        proxy_max_temp_file_size 128k;    # the application sends bytes without end
        location /app/ { mirror /mirror; $pass }
        location /app/sse { mirror /mirror; proxy_buffering off; $pass }
        location /cached/ { proxy_cache cache; proxy_cache_valid 200 1s; proxy_cache_lock on; $pass }
        location /ssi/ { ssi on; aio threads; alias %%DIR%%/ssi/; }
        location /file/ { aio threads; limit_rate 20k; alias %%DIR%%/; }
        location /after/ { post_action /mirror; $pass }
    }
    location = /mirror { internal; proxy_read_timeout 1s; proxy_pass http://127.0.0.1:$app->{port}/app/hang; }
    location /inner/ { $pass }
EOS
mkdir "$t->{dir}/ssi";
$t->write_file('ssi/page.html', 'a <!--#include virtual="/inner/hang" --> b <!--#include virtual="/inner/sse" --> c');
$t->write_file(big => 'x' x 1_000_000);
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my $scim = $t->client(token => $token);
sub send_json {
    my ($method, $path, $json) = @_;
    my $r = $scim->request($method, "/scim/v2/$path", json => $json);
    $r->{status} =~ /^20/ or die "$method $path: $r->{status} $r->{body}";
    return $r->{json}{id};
}
my %id = map { $_ => send_json(POST => 'Users', Scim::user($_, active => JSON::PP::true)) } qw(stays leaves);
sub set_active {
    return send_json(PATCH => "Users/$id{leaves}", { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
        Operations => [{ op => 'replace', path => 'active', value => $_[0] ? JSON::PP::true : JSON::PP::false }] });
}
my @paths = qw(/app/ws /app/sse /app/hang /app/abort /app/ok /app/big /cached/sse /cached/hang /ssi/page.html /file/big /after/hang /after/sse);
my ($worker) = $t->workers;
sub sockets { return scalar grep { (readlink // '') =~ /^socket/ } glob "/proc/$worker/fd/*" }
my $before = sockets();
# Kilobytes that the worker process has allocated.
sub memory { return Scim::_slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+) kB/m ? $1 : die 'no RssAnon' }

my ($ended, $closed) = (0, 0);
my @turns = 1 .. int($rounds / $at_once);
my $memory;    # after the first rounds, in which nginx and the module allocate what they keep
for my $turn (@turns) {
    $memory //= memory() if $turn > @turns / 4;
    my @open = map { my $user = $_; map Scim::Streams->open($t->port(0), $_ eq '/app/ok' ? 'POST' : 'GET', $_, ['X-Remote-User' => $user],
        $_ eq '/app/ok' ? (length => 10, body => 'part') : ()), (@paths, @paths) x $at_once } qw(stays leaves);
    $t->wait_for(sub { !grep $_->{path} =~ m{^/(?:app/(?:ws|sse|big)|file/big)$} && !$_->status, @open }) or BAIL_OUT 'no responses';
    # Every third client leaves before, at the time of, or after the deactivation.
    for my $i (0 .. $#open) { $open[$i]->close if $i % 9 == 0 }
    set_active(0);
    for my $i (0 .. $#open) { $open[$i]->close if $i % 9 == 3 }
    my @rest = map { $_ % 3 ? $open[$_] : () } @open / 2 .. $#open;
    my $is_ended = $t->wait_for(sub { !grep $_->is_open, @rest });
    $is_ended ? $ended++ : diag 'open: ', join ' ', map $_->{path}, grep $_->is_open, @rest;
    for my $i (0 .. $#open) { $open[$i]->close if $i % 9 == 6 }
    $_->close for @open;
    set_active(1);
    $closed += @open;
}
is $ended, @turns, 'all requests of the user who loses access end';
undef $app;
ok $t->wait_for(sub { sockets() <= $before }), 'nginx has closed the sockets of all requests' or diag sockets() . " instead of $before";
is $closed, @turns * $at_once * 4 * @paths, "$closed requests have ended";
my $grown = memory() - $memory;
cmp_ok $grown, '<', 8192, "the memory of the worker process has grown by $grown kB, less than 8 MB, since the first quarter of them";
is +($t->workers)[0], $worker, 'the worker process is the same';
$t->finish;
