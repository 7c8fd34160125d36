#!/usr/bin/perl
# Requests that the gate rechecks end in every way, with mirror and SSI beside them: the client or the application closes its
# connection, a time runs out, the user loses access, all at the same time. Afterwards the worker has no socket and no memory
# more than before. SCIM_ROUNDS=2100 for 100,000 requests, which takes about 15 minutes: 5 rounds are run at a time then.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

BEGIN {
    plan skip_all => 'TEST_MEMORY is not set' if !$ENV{TEST_MEMORY};
    $ENV{TEST_NGINX_PRELOAD} = join ' ', grep length, $ENV{TEST_NGINX_PRELOAD} // '', $ENV{TEST_MEMORY};
}
use Scim;
use Scim::Streams;

my $rounds = $ENV{SCIM_ROUNDS} // 4;
my $at_once = $rounds < 100 ? 1 : 5;
my $app = Scim::Streams::application();
my $pass = "proxy_pass http://127.0.0.1:$app->{port}; proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade; "
    . 'proxy_set_header Connection $http_connection;';
my $t = Scim->new(main => 'thread_pool default threads=4; env TEST_MEMORY_FILE;', events => 'worker_connections 4096;', http => <<'EOH', server => <<"EOS");
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
my $file = $ENV{TEST_MEMORY_FILE} = $t->write_file('memory', "\0" x 1024);
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
# The bytes that the worker process has allocated and not freed when all requests have ended.
sub allocated {
    ok $t->wait_for(sub { $app->end_requests; sockets() <= $before }), 'nginx has closed the sockets of all requests'
        or diag sockets() . " instead of $before";
    is $scim->request(GET => "/scim/v2/Users/$id{stays}")->{status}, 200, 'nginx serves a request after them';
    return +{ unpack 'Q*', Scim::_slurp($file) }->{$worker} // die 'memory.so has not counted';
}

my ($ended, $closed) = (0, 0);
my @turns = 1 .. int($rounds / $at_once);
my $allocated;    # after the first rounds, in which nginx and the module allocate what they keep
for my $turn (@turns) {
    $allocated //= allocated() if $turn > @turns / 4;
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
    $app->end_requests;    # some continue without their clients
}
is $ended, @turns, 'all requests of the user who loses access end';
my $grown = allocated() - $allocated;
is $closed, @turns * $at_once * 4 * @paths, "$closed requests have ended";
cmp_ok $grown, '<', 64 * 1024, "the worker process has $grown bytes more allocated than after the first quarter of them, less than 64 KiB";
is +($t->workers)[0], $worker, 'the worker process is the same';
$t->finish;
