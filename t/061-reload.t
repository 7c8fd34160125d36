#!/usr/bin/perl
# A reload or a graceful end costs no write that was taken and no answer; schemas and stores come and go with a reload, and
# what was stored under a schema that has gone is hidden, not lost.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $main = 'scim_store main %%DIR%%/store; add_header X-Pid $pid always;';
my $server = 'location /scim/v2/ { scim main; client_body_in_file_only clean; }';
my $t = Scim->new(workers => 2, http => $main, server => $server);
my $token = $t->seed('acme');
my $users = '/scim/v2/Users';
$t->start->served($users, token => $token);

sub get { return $t->request(GET => $_[0], token => $token) }
sub create { return map { my $c = $t->client(token => $token); $c->send(POST => $users, json => Scim::user($_)); $c } @_ }

# Every user that was acknowledged ({ id, userName }, …) is there, and no other.
my @created;
sub all_there {
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $client = $t->client(token => $token);
    my @lost = grep { ($client->request(GET => "$users/$_->{id}")->{json}{userName} // '') ne $_->{userName} } @created;
    is "@{[map $_->{userName}, @lost]}", '', "$name: every acknowledged user is readable (" . @created . ')';
    is $client->request(GET => "$users?count=0")->{json}{totalResults}, @created, "$name: and there is no other";
}

# The clients get 201, all of them.
sub all_created {
    my ($name, @clients) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @answers = map $_->receive, @clients;
    is join(' ', map $_->{status}, @answers), join(' ', (201) x @clients), "$name: all are answered";
    push @created, map $_->{json}, @answers;
    $_->close for @clients;
}

# --- with writes in flight

my $lock = $t->hold_lock;
my @clients = create(map "reload$_", 1 .. 40);
ok $t->wait_for(sub { $t->bodies == 40 }), '40 writes wait';
my @old = $t->workers;
ok $t->reload, 'a reload';
push @clients, create('after');
ok $t->wait_for(sub { $t->bodies == 41 }), 'a new worker takes another';
is scalar(grep !$t->_gone($_), @old), 2, 'the old workers stay';
$t->release($lock);
all_created 'reload', @clients;
ok $t->wait_for(sub { !grep !$t->_gone($_), @old }), 'then they leave';
all_there 'reload';

# Clients with a connection for each request: on one that is kept, nginx's goodbye and a request may cross.
my $writers = $t->launch(4, 4, sub {
    my ($i, $client) = @_;
    my (@mine, %status);
    for (my $n = 0; !-e "$t->{dir}/enough"; $n++) {
        my $r = $client->request(POST => $users, json => Scim::user("storm$i-$n"), close => 1);
        $status{ $r->{status} }++;
        push @mine, { id => $r->{json}{id}, userName => "storm$i-$n" } if $r->{status} == 201;
    }
    return { created => \@mine, status => \%status };
}, token => $token);
$t->reload(gone => 1) for 1 .. 8;
$t->write_file('enough', '');
my %status;
for my $result ($t->collect($writers)) {
    push @created, @{ $result->{created} };
    $status{$_} += $result->{status}{$_} for keys %{ $result->{status} };
}
is join(' ', sort keys %status), 201, "8 reloads: every request is answered with 201 ($status{201})";
all_there '8 reloads';

$lock = $t->hold_lock;
@clients = create(map "quit$_", 1 .. 40);
ok $t->wait_for(sub { $t->bodies == 40 }), '40 writes wait';
kill QUIT => $t->{pid};
ok $t->wait_log(qr/gracefully shutting down.*gracefully shutting down/s), 'nginx is told to quit';
ok $t->wait_for(sub { !$t->workers }), 'and is on its way';
$t->release($lock);
all_created 'quit', @clients;
ok $t->quit, 'nginx ends';
$t->start->served($users, token => $token);
all_there 'quit';

# --- schemas

my $urn = 'urn:acme:params:scim:schemas:extension:acme:2.0:User';
$t->write_file('acme.json', $Scim::json->encode({ id => $urn, attributes => [{ name => 'badge' }] }));
my $with = "$main scim_schema %%DIR%%/acme.json;";

# Reloads with another configuration while nobody may write: both workers find something to declare, and wait. They read
# what is there meanwhile; a write waits for what is declared.
sub reload_both {
    my ($name, $http, $published) = @_;
    $t->conf(undef, http => $http);
    my ($lock, @old) = ($t->hold_lock, $t->workers);
    my (%read, %served);
    $t->reload(gone => 1);
    my $schema = sub { $t->request(GET => "/scim/v2/Schemas/$urn", token => $token) };
    ok $t->wait_for(sub {
        my $r = $schema->();
        $read{ $r->{headers}{'x-pid'} }{ $r->{status} } = 1;
        return keys %read == 2;
    }), "$name: both workers are there";
    is_deeply [map { join ' ', sort keys %$_ } values %read], [($published ? 404 : 200) x 2],
        "$name: and show what was declared before";
    my ($client) = create("while $name");
    ok $t->wait_for(sub { $t->bodies == 1 }), "$name: a write waits";
    $t->release($lock);
    all_created $name, $client;
    ok $t->wait_for(sub {
        my $r = $schema->();
        $served{ $r->{headers}{'x-pid'} } = 1 if $r->{status} == ($published ? 200 : 404);
        return keys %served == 2;
    }), "$name: both show what is declared now";
    is join(' ', sort keys %served), join(' ', sort keys %read), "$name: without a restart";
}

reload_both 'a new schema', $with, 1;
is get("/scim/v2/Schemas/$urn")->{json}{attributes}[0]{name}, 'badge', 'it is published';
my $body = { %{ Scim::user('ada') }, $urn => { badge => 'B-1' } };
push @{ $body->{schemas} }, $urn;
my $r = $t->request(POST => $users, token => $token, json => $body);
is_user $r, 201, 'a user with it';
is_deeply $r->{json}{$urn}, { badge => 'B-1' }, 'shows it';
push @created, $r->{json};
my $ada = "$users/$r->{json}{id}";

reload_both 'without it', $main, 0;
is get("/scim/v2/Schemas/$urn")->{status}, 404, 'it is not published';
my $hidden = get($ada);
ok !exists $hidden->{json}{$urn}, 'its values are hidden';
is_deeply $hidden->{json}{schemas}, [$Scim::Check::user_urn], 'its name, too';
is $t->request(PUT => $ada, token => $token, json => Scim::user('ada', title => 'Countess'))->{status}, 200, 'a replace';

reload_both 'with it again', $with, 1;
is_deeply get($ada)->{json}{$urn}, { badge => 'B-1' }, 'they are shown again, as they were';
is get($ada)->{json}{title}, 'Countess', 'with what came meanwhile';
all_there 'schemas';

# --- a store

ok !-e "$t->{dir}/more", 'there is no other store';
$t->conf(undef, http => "$with scim_store more %%DIR%%/more;", server => "$server location /more/ { scim more; }");
ok $t->reload(gone => 1), 'a reload with another store';
$t->served('/more/Users');
is sprintf('%04o', (stat "$t->{dir}/more")[2] & 07777), '0700', 'its directory is made, for the workers only';
my $other = do { local $t->{store} = "$t->{dir}/more"; $t->token($t->tenant('acme')) };
is_user $t->request(POST => '/more/Users', token => $other, json => Scim::user('ada')), 201, 'it is written';
is $t->request(GET => '/more/Users', token => $token)->{status}, 401, 'and it is one of its own';
all_there 'another store';
is +($t->scimctl('verify'))[0], 0, 'scimctl verify';
my @complaints = grep /\[(?:warn|error)\].*scim: (?!\w+ answered with)/, split /^/, $t->log;
is scalar(grep /\[error\].*values are hidden since this configuration, .*: "\Q$urn\E:badge" of 1 User; they come back when/, @complaints), 1,
    'the log says once which attribute of how many resources a reload has hidden';
is scalar(@complaints), 1, 'the log has nothing else to complain of';

# --- without a master

ok $t->quit, 'nginx ends';
$t->{workers} = 1;
$t->conf(undef, main => 'master_process off;', http => $main, server => $server);
$t->{workers} = 0;
$t->start->served($users, token => $token);
all_there 'master_process off';
all_created 'master_process off', create(map "single$_", 1 .. 5);
all_there 'master_process off';
$lock = $t->hold_lock;
my ($waiting) = create('unanswered');
ok $t->wait_for(sub { $t->bodies == 1 }), 'a write waits';
kill QUIT => $t->{pid};
$t->release($lock);
ok $t->quit, 'it ends when it is asked to';
push @created, $_->{json} for grep $_->{status} == 201, $waiting->receive;

$t->finish;
