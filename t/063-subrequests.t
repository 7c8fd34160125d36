#!/usr/bin/perl
# A SCIM location answers subrequests of mirror, SSI, auth_request, Lua and njs, whichever of subrequest and main request
# ends first, and whenever the client disconnects. TEST_LOAD is the number of requests of each load at the end.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Test::More;
use Scim;

my $modules = '/usr/lib/nginx/modules';
-e "$modules/$_" or plan skip_all => "$modules/$_ is not there" for qw(ngx_http_lua_module.so ngx_http_js_module.so);

my $t = Scim->new(main => join("\n", map "load_module $modules/$_.so;", qw(ndk_http_module ngx_http_lua_module ngx_http_js_module)),
    http => <<'EOC', server => <<'EOS');
    scim_store main %%DIR%%/store size=256m;
    js_path %%DIR%%;
    js_import sub from sub.js;
    keepalive_requests 100000;
EOC
    location /scim/v2/ { scim main; client_body_in_file_only clean; }
    location = /mirror { mirror /scim/v2/Users; proxy_pass http://127.0.0.1:%%PORT1%%; }
    location = /mirror-load { mirror /scim/v2/Users; proxy_pass http://127.0.0.1:%%PORT%%/static; }
    location = /static { return 200 "static\n"; }
    location = /ssi { ssi on; ssi_types *; root %%DIR%%; }
    location = /guarded { auth_request /scim/v2/Users; root %%DIR%%; }
    location = /lua {
        client_max_body_size 1m;
        lua_check_client_abort on;
        content_by_lua_block {
            ngx.req.read_body()
            local write, read = ngx.location.capture_multi {
                { "/scim/v2/Users", { method = ngx.HTTP_POST, body = ngx.req.get_body_data() } },
                { "/scim/v2/Users?count=1000" },
            }
            ngx.say(write.status, " ", read.status, " ", #read.body > 1048576 and "long" or "short")
        }
    }
    location = /njs { js_content sub.create; }
EOS
$t->write_file('sub.js', <<'EOJ');
async function create(r) {
    const done = await Promise.all([
        r.subrequest('/scim/v2/Users', { method: 'POST', body: r.requestText }),
        r.subrequest('/scim/v2/Users', { args: 'count=0' }),
    ]);
    r.return(200, done[0].status + ' ' + done[1].status + '\n');
}
export default { create };
EOJ
$t->write_file('ssi', qq{<!--# include virtual="/scim/v2/Users?count=1000" -->\n+++\n<!--# include virtual="/scim/v2/Users?count=1000" -->});
$t->write_file('guarded', 'guarded');
my $backend = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => $t->port(1)) or die "listen: $!";

my $users = '/scim/v2/Users';
my $token = $t->seed('acme');
$t->start->served($users, token => $token);
my ($worker) = $t->workers;
my $client = $t->client(token => $token, raw => 1);
my $n = 0;

sub user { my ($name, %more) = @_; return $Scim::json->encode(Scim::user($name, %more)) }
sub named { return $client->request(GET => "$users?count=0&filter=userName+eq+\"$_[0]\"")->{body} =~ /"totalResults":1\D/ }

# Answers the request that nginx has passed to the backend.
sub backend_answers {
    my $c = $backend->accept or die "accept: $!";
    my $request = '';
    sysread $c, $request, 4096, length $request while $request !~ /\r\n\r\n/;
    syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nbackend";
    close $c;
}

is $client->request(POST => $users, body => user("long$_", displayName => "$_ " . 'x' x 60_000))->{status}, 201,
    "POST of a long user is answered with 201"
    for 1 .. 20;
my $list = $client->request(GET => "$users?count=1000")->{body};
cmp_ok length $list, '>', 1 << 20, 'the list of long users is longer than 1 MiB';

# --- mirror

sub mirror { my ($name) = @_; my $c = $t->client(token => $token); $c->send(POST => '/mirror', body => user($name)); return $c }

my $c = mirror('mirror-first');
ok $t->wait_for(sub { named('mirror-first') }), 'a mirrored write is committed before its main request is answered';
backend_answers();
is $c->receive->{body}, 'backend', 'the main request is answered after its mirrored write';

my $lock = $t->hold_lock;
$c = mirror('mirror-last');
backend_answers();
is $c->receive->{body}, 'backend', 'a main request is answered before its mirrored write is committed';
$t->release($lock);
ok $t->wait_for(sub { named('mirror-last') }), 'a mirrored write is committed after its main request was answered';

$lock = $t->hold_lock;
my $seen = length $t->log;
$c = mirror('mirror-alone');
my $accepted = $backend->accept;
$c->close;
ok $t->wait_for(sub { substr($t->log, $seen) =~ /client prematurely closed connection/ }),
    'a client disconnects while main request and mirrored write wait';
$t->release($lock);
ok $t->wait_for(sub { named('mirror-alone') }), 'the mirrored write of a disconnected client is committed';
my $disconnected = qr/client disconnected before the response to request [0-9a-f]{32}, status 201/;
ok $t->wait_for(sub { substr($t->log, $seen) =~ $disconnected }),
    'the error log says that the client had disconnected and how its request was answered';
close $accepted;

# --- SSI

$list = $client->request(GET => "$users?count=1000")->{body};
my $page = "$list\n+++\n$list";
ok $client->request(GET => '/ssi')->{body} eq $page, 'an SSI page includes two long lists';
for my $i (1 .. 20) {
    my $gone = $t->client(token => $token, raw => 1);
    $gone->send(GET => '/ssi');
    $gone->_fill(Time::HiRes::time() + 30) if $i % 2;    # its first bytes have come
    $gone->close;
}
ok $client->request(GET => '/ssi')->{body} eq $page,
    'an SSI page includes two long lists after 20 clients have disconnected';

# --- auth_request

is $client->request(GET => '/guarded')->{body}, 'guarded', 'auth_request to a long list accepts a known token';
is $t->request(GET => '/guarded', token => "x$token")->{status}, 401,
    'auth_request to a long list refuses an unknown token with 401';
for (1 .. 20) { my $gone = $t->client(token => $token); $gone->send(GET => '/guarded'); $gone->close }
is $client->request(GET => '/guarded')->{body}, 'guarded',
    'auth_request to a long list accepts a known token after 20 clients have disconnected';

# --- Lua and njs

for (['/lua', '201 200 long', 'lua'], ['/njs', '201 200', 'njs']) {
    my ($path, $said, $name) = @$_;
    is $client->request(POST => $path, body => user($name))->{body}, "$said\n",
        "$name: a write and a read in parallel subrequests are answered";
    ok named($name), "$name: the write of a subrequest is committed";
    $lock = $t->hold_lock;
    my $files = $t->bodies;
    my $waits = $t->client(token => $token);
    $waits->send(POST => $path, body => user("$name-waits"));
    my $gone = $t->client(token => $token);
    $gone->send(POST => $path, body => user("$name-gone"));
    # The writer has both subrequests once a third write waits behind them.
    $client->send(POST => $users, body => user("$name-behind"));
    ok $t->wait_for(sub { $t->bodies > $files }), "$name: two writes of subrequests wait for the write lock";
    $gone->close;
    $t->release($lock);
    is $client->receive->{status}, 201, "$name: a write behind them is answered with 201";
    is $waits->receive->{body}, "$said\n", "$name: the client that waits is answered";
    ok $t->wait_for(sub { named("$name-gone") }), "$name: the write of a disconnected client is committed";
}

# --- load

my $load = $ENV{TEST_LOAD} // 200;
local $Scim::deadline = $Scim::deadline + $load;    # seconds; a page of /ssi takes 50 ms under a sanitizer on a busy machine
for my $path (qw(/mirror-load /ssi /lua)) {
    my @body = $path eq '/lua' ? ('-d', $t->write_file('again', user('lua'))) : ();
    my $requests = !$ENV{TEST_LOAD} && $path ne '/mirror-load' ? $load / 10 : $load;    # the other paths send megabytes
    my (undef, $out) = $t->run('', qw(h2load --h1 -c 8), '-n', $requests, '-H', "authorization: Bearer $token",
        '-H', 'content-type: application/scim+json', @body, 'http://127.0.0.1:' . $t->port . $path);
    like $out, qr/ (\d+) done, \1 succeeded, 0 failed, 0 errored/, "$path: all requests of a load succeed" or diag $out;
}

is join(' ', $t->workers), $worker, 'one worker has served all requests';
$t->finish;
