#!/usr/bin/perl
# scim_recheck ends open requests of users who lose access: WebSockets, event streams, downloads, uploads and requests that wait
# for the application, on HTTP/1.1 and HTTP/2, through proxy_cache, aio threads and X-Accel-Redirect. Requests of others stay.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(WNOHANG);
use Test::More;
use Scim;
use Scim::Streams;

my $app = Scim::Streams::application();
my $pass = "proxy_pass http://127.0.0.1:$app->{port}; proxy_http_version 1.1; proxy_set_header Upgrade \$http_upgrade; "
    . 'proxy_set_header Connection $http_connection;';
my $t = Scim->new(workers => 2, main => 'thread_pool default threads=4;', events => 'worker_connections 1024;', http => <<'EOH', server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    scim_status_zone scim 256k;
    proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
    log_format gate '$http_x_remote_user $uri $status $scim_decision $scim_denied_reason';
EOH
    listen 127.0.0.1:%%PORT1%% %%HTTP2%%;
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_recheck 1s;
    access_log %%DIR%%/gate.log gate;
    location /scim/v2/ { scim main; }
    location = /status { scim_status; }
    location / {
        scim_require active;
        location /app/ { $pass }
        location /group/ { scim_require group=Staff; $pass }
        location /session/ { scim_session \$http_x_auth_time trusted; $pass }
        location /unbuffered/ { proxy_request_buffering off; proxy_buffering off; $pass }
        location /cached/ { proxy_cache cache; proxy_cache_valid 200 1m; $pass }
        location /slow-cached/ { proxy_cache cache; proxy_cache_valid 200 1m; proxy_cache_lock on; $pass }
        location /off/ { scim_recheck off; $pass }
        location /dry/ { scim_require_dry_run on; $pass }
        location /mirrored/ { mirror /mirror; $pass }
        location /file/ { aio threads; sendfile off; output_buffers 1 64k; directio off; limit_rate 100k; alias %%DIR%%/; }
        location /sendfile/ { aio threads; sendfile on; limit_rate 100k; alias %%DIR%%/; }
    }
    location = /mirror { internal; proxy_pass http://127.0.0.1:$app->{port}/app/hang; }
    location /files/ { internal; aio threads; limit_rate 100k; alias %%DIR%%/; }
EOS
$t->write_file(big => 'x' x 8_000_000);
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
my $scim = $t->client(token => $token);
my %id;
sub create {
    my ($type, $resource) = @_;
    my $r = $scim->request(POST => "/scim/v2/$type", json => $resource);
    $r->{status} == 201 or die "$type: $r->{status} $r->{body}";
    return $r->{json}{id};
}
sub patch {
    my ($path, @operations) = @_;
    my $r = $scim->request(PATCH => "/scim/v2/$path", json => {
        schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => \@operations });
    $r->{status} =~ /^20[04]$/ or die "PATCH $path: $r->{status} $r->{body}";
    return;
}
sub set_active { my ($user, $value) = @_; patch("Users/$id{$user}", { op => 'replace', path => 'active', value => $value ? JSON::PP::true : JSON::PP::false }); return }
$id{$_} = create(Users => Scim::user($_, active => JSON::PP::true)) for qw(ada bob group block delete revoke flip rename paused);
my $staff = create(Groups => { schemas => ['urn:ietf:params:scim:schemas:core:2.0:Group'], displayName => 'Staff',
    members => [map +{ value => $id{$_} }, qw(ada group)] });

sub stream { my ($user, $path, %o) = @_; return Scim::Streams->open($t->port(0), $o{method} // 'GET', $path, ['X-Remote-User' => $user, @{ $o{headers} // [] }], %o) }
# A process of curl that reads a response over HTTP/2.
sub curl {
    my ($user, $path, @args) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', "$t->{dir}/curl-$user-" . $path =~ tr{/}{-}r or POSIX::_exit(126);
        open STDERR, '>', '/dev/null' or POSIX::_exit(126);
        open STDIN, '<', "$t->{dir}/upload" or POSIX::_exit(126);    # has no bytes and no end
        exec qw(curl -sN --http2-prior-knowledge -H), "X-Remote-User: $user", @args, 'http://127.0.0.1:' . $t->port(1) . $path or POSIX::_exit(127);
    }
    return bless { pid => $pid, file => "$t->{dir}/curl-$user-" . $path =~ tr{/}{-}r }, 'Curl';
}
sub Curl::is_open { my ($self) = @_; $self->{exit} //= waitpid($self->{pid}, WNOHANG) ? $? >> 8 : undef; return !defined $self->{exit} }
sub Curl::got { return -s $_[0]{file} }

# --- a deactivated user

my $pipe = "$t->{dir}/upload";
POSIX::mkfifo($pipe, 0600) or die "mkfifo: $!";
open my $kept_open, q(+<), $pipe or die "$pipe: $!";    # so that the upload does not end
sub open_all {
    my ($user) = @_;
    my %open = (
        WebSocket => stream($user, '/app/ws'),
        'event stream' => stream($user, '/app/sse'),
        'download' => stream($user, '/app/big'),
        'unbuffered download' => stream($user, '/unbuffered/big'),
        'request that waits for the application' => stream($user, '/app/hang'),
        'upload' => stream($user, '/app/ok', method => 'POST', length => 1000, body => 'a'),
        'unbuffered upload' => stream($user, '/unbuffered/ok', method => 'POST', length => 1000, body => 'a'),
        'response through proxy_cache' => stream($user, "/cached/$user/sse"),
        'request that waits for the lock of proxy_cache' => undef,
        'response of X-Accel-Redirect' => stream($user, '/app/accel'),
        'file by aio threads' => stream($user, '/file/big'),
        'file by sendfile and aio threads' => stream($user, '/sendfile/big'),
        'request with a mirror' => stream($user, '/mirrored/sse'),
        'HTTP/2 event stream' => curl($user, '/app/sse'),
        'HTTP/2 file by aio threads' => curl($user, '/file/big'),
        'HTTP/2 request that waits' => curl($user, '/app/hang'),
        'HTTP/2 upload' => curl($user, '/unbuffered/hang', qw(-T .)),
    );
    my $first = stream($user, "/slow-cached/$user/hang");
    $open{'request that waits for the lock of proxy_cache'} = stream($user, "/slow-cached/$user/hang");
    $open{'request that fills proxy_cache'} = $first;
    return %open;
}
my %bob = open_all('bob');
my %ada = open_all('ada');
my @has_status = grep !/HTTP.2|wait|upload|fills/, sort keys %bob;
for my $all (\%ada, \%bob) {
    $t->wait_for(sub { !grep !$all->{$_}->status, @has_status }) or BAIL_OUT 'no response: ' . join ', ', grep !$all->{$_}->status, @has_status;
    $t->wait_for(sub { $all->{'HTTP/2 event stream'}->got && $all->{'HTTP/2 file by aio threads'}->got }) or BAIL_OUT 'no HTTP/2 response';
}
is $bob{WebSocket}->status, 101, 'a WebSocket is opened';
ok $bob{WebSocket}->echoes($t, 'ping'), 'it echoes';
# Reads all streams of both: an application that cannot write would not notice anything.
sub still_open { my ($all) = @_; return grep $all->{$_}->is_open, sort keys %$all }
is join(', ', still_open(\%bob)), join(', ', sort keys %bob), 'all requests are open';

set_active('bob', 0);
ok $t->wait_for(sub { still_open(\%ada); !still_open(\%bob) }), 'all requests of a deactivated user end'
    or diag 'open: ' . join ', ', still_open(\%bob);
ok !$bob{$_}->is_open, "$_: ends" for sort keys %bob;
is join(', ', still_open(\%ada)), join(', ', sort keys %ada), 'no request of another user ends';
ok $ada{WebSocket}->echoes($t, 'pong'), "another user's WebSocket echoes";
is $bob{'HTTP/2 event stream'}{exit}, 92, 'an HTTP/2 stream is reset, not ended as if it were complete';

my $ended = 'open request ended: user "bob" of tenant "acme" is not active';
my $errors = $t->log;
my %said;
$said{$1}++ while $errors =~ /\[error\] (\d+)#\d+: \*\d+ scim: \Q$ended\E/g;
ok %said && !grep($_ > 1, values %said), 'the error log of each worker process names the user once';
my $count = 0;
$count += $1 while $errors =~ /scim: (\d+) open requests ended because their users lost access: inactive \1$/mg;
cmp_ok $count, '>', keys(%bob) - 4, 'the error log counts the ended requests by reason';

# How many requests scim_status says that the gate has ended, by reason.
sub ended {
    return { map { /^nginx_scim_gate_decisions_total\{decision="ended",reason="(\w+)"\} (\d+)$/ && $2 ? ($1 => $2) : () } split /\n/,
        $scim->request(GET => '/status')->{body} };
}
my $counted = ended();
is join(' ', sort keys %$counted), 'inactive', 'scim_status counts ended requests by reason';
cmp_ok $counted->{inactive}, '>', keys(%bob) - 4, 'and counts those that the error log counts';
cmp_ok $counted->{inactive}, '<=', keys(%bob), 'each request once';

# --- other ways to lose access, each for a user of its own

my $now = time;
my %open = (
    group => stream('group', '/group/ws'), block => stream('block', '/app/ws'), delete => stream('delete', '/app/ws'),
    revoke => stream('revoke', '/session/ws', headers => ['X-Auth-Time' => $now + 100]), flip => stream('flip', '/app/ws'),
    rename => stream('rename', '/app/ws'),
);
my %kept = (
    'a member of the group' => stream('ada', '/group/ws'), 'scim_recheck off' => stream('block', '/off/ws'),
    'dry run' => stream('group', '/dry/ws'), 'active user of a group that is not required' => stream('group', '/app/ws'),
);
for my $all (\%open, \%kept) {
    $t->wait_for(sub { !grep $_->status != 101, values %$all }) or BAIL_OUT 'no WebSocket: ' . join ', ', map "$_ " . $all->{$_}->status, sort keys %$all;
}
patch("Groups/$staff", { op => 'remove', path => qq(members[value eq "$id{group}"]) });
is +($t->scimctl(qw(user block --tenant acme block)))[0], 0, 'a user is blocked';
$scim->request(DELETE => "/scim/v2/Users/$id{delete}")->{status} == 204 or die 'DELETE';
is +($t->scimctl(qw(user revoke --tenant acme revoke)))[0], 0, 'the sessions of a user are revoked';
set_active('flip', $_) for 0, 1;
patch("Users/$id{rename}", { op => 'replace', path => 'userName', value => 'renamed' });
$id{rename2} = create(Users => Scim::user('rename', active => JSON::PP::true));
ok $t->wait_for(sub { !grep $_->is_open, values %open }), 'all of their WebSockets end';
my %what = (group => 'removed from the required group', block => 'blocked', delete => 'deleted', revoke => 'whose sessions are revoked',
    flip => 'deactivated and activated again', rename => 'whose name is another one\'s by now');
ok !$open{$_}->is_open, "a user $what{$_}: the WebSocket ends" for sort keys %open;
is_deeply ended(), { %$counted, not_allowed => 1, blocked => 1, unknown => 1, session_revoked => 3 }, 'scim_status counts them by reason';
ok $kept{$_}->echoes($t, 'still'), "$_: the WebSocket stays open" for sort keys %kept;

# --- a pause of the gate

is +($t->scimctl(qw(gate pause --tenant acme --for 1h)))[0], 0, 'the gate is paused';
my $paused = stream('paused', '/group/ws');
is $t->wait_for(sub { $paused->status }), 101, 'a user without the group passes';
set_active('bob', 0);
patch("Users/$id{paused}", { op => 'replace', path => 'title', value => 'x' });
ok $paused->echoes($t, 'still'), 'the WebSocket is open while the gate is paused';
is +($t->scimctl(qw(gate resume --tenant acme)))[0], 0, 'the gate is resumed';
ok $t->wait_for(sub { !$paused->is_open }), 'the WebSocket ends with the pause';

# --- workers of an older configuration

my $old = stream('flip', '/app/ws');
my $other = stream('ada', '/app/ws');
ok $old->echoes($t, 'one') && $other->echoes($t, 'one'), 'WebSockets are open before a reload';
$t->reload;
ok $old->echoes($t, 'two'), 'and after it, in a worker process that is shutting down';
set_active('flip', 0);
ok $t->wait_for(sub { !$old->is_open }), 'they end there as well';
ok $other->echoes($t, 'two'), 'that of another user stays';

$_->close for values %kept, $other, grep $_->isa('Scim::Streams'), values %ada;
for (grep $_->isa('Curl') && $_->is_open, values %ada) { kill TERM => $_->{pid}; waitpid $_->{pid}, 0 }
undef $app;    # with proxy_cache nginx waits for the application although its client is gone
$t->quit;
my $log = Scim::_slurp("$t->{dir}/gate.log");
like $log, qr{^bob /app/ws 101 deny inactive$}m, 'the access log has the reason of an ended WebSocket';
like $log, qr{^bob /app/hang 403 deny inactive$}m, 'a request that was not answered has the status of the refusal';
like $log, qr{^revoke /session/ws 101 deny session_revoked$}m, 'the reason of a revoked session is session_revoked';
like $log, qr{^group /group/ws 101 deny not_allowed$}m, 'that of a removed member is not_allowed';
like $log, qr{^ada /app/ws 101 allow -$}m, 'a request that its client ends has no reason';
is join('', $t->complaints), '', 'no alert, no crash, no sanitizer report';
done_testing;
